// A terminal that shows texts on its standard output. Run it beside `muster quickstart`:
//
//	go run ./examples/kiosk [URL] [ID] [TOKEN_FILE]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	muster "github.com/muster-rs/muster/clients/go"
)

func main() {
	config := muster.Config{
		URLs:   []string{"ws://127.0.0.1:9000/ws"},
		ID:     "go-1",
		Labels: map[string]string{"kind": "kiosk"},
		Run:    run,
		Report: func(report muster.Report) { log.Printf("%T %+v", report, report) },
	}
	if len(os.Args) > 1 {
		config.URLs = os.Args[1:2]
	}
	if len(os.Args) > 2 {
		config.ID = os.Args[2]
	}
	if len(os.Args) > 3 {
		config.Token = muster.TokenFile(os.Args[3])
	}
	config.Memory = config.ID + ".memory"
	terminal, err := muster.New(config)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := terminal.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(_ context.Context, command *muster.Command) (any, error) {
	if command.Name != "show" {
		return nil, &muster.RejectedError{}
	}
	fmt.Printf("%s\n", command.Payload.JSON)
	return map[string]bool{"shown": true}, nil
}
