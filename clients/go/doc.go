// Package muster is a terminal of Muster: it gets commands from operators, runs each once and in order, says what came of it, and comes
// back by itself when a connection breaks.
//
//	terminal, err := muster.New(muster.Config{
//		URLs:   []string{"ws://127.0.0.1:9000/ws"},
//		ID:     "go-1",
//		Memory: "go-1.memory",
//		Run: func(ctx context.Context, command *muster.Command) (any, error) {
//			return "done", nil
//		},
//	})
//	if err == nil {
//		err = terminal.Run(ctx)
//	}
//
// Behind it stand: connector (when and where to connect), session (one connection), inbox (commands on their way to the program), outbox
// (messages on their way to the node), memory (what outlives a session, and the program), renewal (the token in use).
package muster
