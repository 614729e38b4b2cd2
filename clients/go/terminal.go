package muster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// cursorRoom is what a hello needs for the cursor, in bytes.
const cursorRoom = 256

// Condition is how a terminal judges itself.
type Condition string

// The conditions.
const (
	OK       Condition = "ok"
	Degraded Condition = "degraded"
	Failing  Condition = "failing"
)

// Terminal connects to Muster, and comes back by itself. Its methods may be called by several goroutines.
type Terminal struct {
	config Config
	will   json.RawMessage
	urls   []string
	http   *http.Client
	clock  nodeClock
	tokens *renewal
	memory *memory
	outbox *outbox
	inbox  *inbox
	// problems has a failure of the memory, to be reported outside of its lock.
	problems  chan error
	reporting sync.Mutex
}

// New makes a terminal. It fails if the configuration can't be used, or the memory can't be read. Run connects it.
func New(config Config) (*Terminal, error) {
	if config.Run == nil {
		return nil, errors.New("Run: give a function that runs commands")
	}
	urls, err := endpoints(config.URLs, config.ID)
	if err != nil {
		return nil, err
	}
	config = config.withDefaults()
	t := &Terminal{config: config, urls: urls, http: newHTTPClient(config.TLS), problems: make(chan error, 1)}
	if t.tokens, err = newRenewal(config.Token, config.Deadline); err != nil {
		return nil, fmt.Errorf("Token: %w", err)
	}
	if config.Will != nil {
		if t.will, err = json.Marshal(config.Will); err != nil {
			return nil, fmt.Errorf("Will: %w", err)
		}
	}
	if t.memory, err = openMemory(config.Memory, config.Remember, t.failed); err != nil {
		return nil, fmt.Errorf("Memory: %w", err)
	}
	hello, err := t.hello()
	if bytes := len(hello) + cursorRoom; err == nil && bytes > defaultMaxMessage {
		err = &TooLargeError{"the hello with Labels, Will and SDK", bytes, defaultMaxMessage}
	}
	t.outbox = newOutbox(t.memory, t.report)
	t.inbox = newInbox(t)
	return t, err
}

// Run connects, and runs commands, until the context ends or the terminal will not come back. Then it closes the connection with 1000, waits
// for the functions that run commands, and returns nil or the End. It is called once.
func (t *Terminal) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Add(2)
	go func() {
		defer working.Done()
		t.inbox.serve(ctx, t.config.Parallel)
	}()
	go func() {
		defer working.Done()
		t.tellProblems(ctx)
	}()
	end := (&connector{terminal: t, backoff: newBackoff(t.config.Policy)}).run(ctx)
	cancel()
	working.Wait()
	t.report(Gone{end})
	if end.Kind == Left {
		return nil
	}
	return end
}

// Health says how the terminal is; at most 64 metrics. Of several that wait for a connection, the last is sent.
func (t *Terminal) Health(condition Condition, metrics map[string]float64) error {
	frame, err := encode(healthFrame{"health", condition, metrics})
	if err != nil {
		return err
	}
	return t.outbox.send(frame, "health")
}

// Event publishes an event, whose payload is as that of a reply. With an id of 1 to 64 bytes, EventStored tells that the node has it; send it
// again, with the same id, if none comes. The error is a TooLargeError over 8 KiB, or tells that 256 messages wait for a connection.
func (t *Terminal) Event(name string, payload any, id string) error {
	value, err := payloadOf(payload)
	if err != nil {
		return err
	}
	fields := value.fields()
	frame, err := encode(replyFrame{Type: "event", ID: id, Name: name, payloadFields: fields})
	if err != nil {
		return err
	}
	bytes := len(name) + len(fields.Payload)
	if fields.Base64 != nil {
		bytes += (len(*fields.Base64) + 2) / 3 * 4
	}
	if bytes > eventMax {
		return &TooLargeError{"the event", bytes, eventMax}
	}
	return t.outbox.send(frame, "")
}

func (t *Terminal) report(report Report) {
	if t.config.Report == nil {
		return
	}
	t.reporting.Lock()
	defer t.reporting.Unlock()
	t.config.Report(report)
}

func (t *Terminal) failed(err error) {
	select {
	case t.problems <- fmt.Errorf("memory %s: %w", t.config.Memory, err):
	default:
	}
}

func (t *Terminal) tellProblems(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-t.problems:
			t.report(Problem{err})
		}
	}
}

// hello is the first frame of a session.
func (t *Terminal) hello() (string, error) {
	return encode(helloFrame{"hello", t.config.SDK, t.config.Labels, t.memory.lastCursor(), t.will})
}

// opened begins a session. A node that resumes sends what follows the old cursor, so that cursor stays until those commands came.
func (t *Terminal) opened(welcome Welcome) {
	t.clock.set(welcome.Time)
	if !welcome.Resumed {
		t.inbox.pass(welcome.Cursor)
	}
	t.report(Opened{welcome})
	t.outbox.open(welcome.MaxMessage)
}
