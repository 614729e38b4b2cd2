// The conformance program for the kit: clients/README.md says what it does and prints.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	muster "github.com/muster-rs/muster/clients/go"
)

// fields are those of a line.
type fields map[string]any

// program is the terminal, and what ends it.
type program struct {
	terminal *muster.Terminal
	leave    context.CancelFunc
}

func main() {
	ctx, leave := context.WithCancel(context.Background())
	program := &program{leave: leave}
	terminal, err := muster.New(program.config())
	if err != nil {
		log.Fatal(err)
	}
	program.terminal = terminal
	if err := terminal.Run(ctx); err != nil {
		saw("gone", nil)
	}
}

func (p *program) config() muster.Config {
	var times map[string]int64
	if err := json.Unmarshal([]byte(variable("MUSTER_POLICY")), &times); err != nil {
		log.Fatalf("MUSTER_POLICY: %v", err)
	}
	of := func(name string) time.Duration { return time.Duration(times[name]) * time.Millisecond }
	return muster.Config{
		URLs:     strings.Split(variable("MUSTER_URL"), ","),
		ID:       variable("MUSTER_TERMINAL"),
		Token:    muster.TokenFile(variable("MUSTER_TOKEN_FILE")),
		Memory:   filepath.Join(variable("MUSTER_STATE"), "memory"),
		Labels:   map[string]string{"kit": "yes"},
		Deadline: of("deadline_ms"),
		Policy: muster.Policy{
			First:   of("first_ms"),
			Cap:     of("cap_ms"),
			Stable:  of("stable_ms"),
			Slow:    of("slow_ms"),
			HintCap: of("hint_cap_ms"),
		},
		Run:    p.run,
		Report: report,
	}
}

func variable(name string) string {
	value, isSet := os.LookupEnv(name)
	if !isSet {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func saw(what string, more fields) {
	line := fields{"saw": what}
	for name, value := range more {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}

func (p *program) run(_ context.Context, command *muster.Command) (any, error) {
	told := fields{"id": command.ID, "name": command.Name, "payload": command.Payload.JSON}
	if command.Payload.Bytes != nil {
		delete(told, "payload")
		told["payload_base64"] = command.Payload.Bytes
	}
	saw("command", told)
	switch command.Name {
	case "echo":
		return command.Payload, nil
	case "fail":
		return nil, &muster.FailedError{Payload: command.Payload}
	case "progress":
		return nil, command.Progress(command.Payload)
	case "health":
		return nil, p.health(command.Payload)
	case "event":
		return nil, p.event(command.Payload)
	case "large":
		var letters int
		err := command.Payload.Decode(&letters)
		return strings.Repeat("x", letters), err
	case "quiet":
		return nil, muster.ErrLater
	case "die":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "leave":
		defer p.leave()
		return nil, errors.Join(command.Succeed(nil), muster.ErrLater)
	default:
		return nil, &muster.RejectedError{}
	}
}

func (p *program) health(payload muster.Payload) error {
	var metrics map[string]float64
	if err := payload.Decode(&metrics); err != nil {
		return err
	}
	return p.terminal.Health(muster.Degraded, metrics)
}

func (p *program) event(payload muster.Payload) error {
	var event struct {
		ID, Name string
		Payload  json.RawMessage
	}
	if err := payload.Decode(&event); err != nil {
		return err
	}
	err := p.terminal.Event(event.Name, event.Payload, event.ID)
	var large *muster.TooLargeError
	if errors.As(err, &large) {
		saw("too_large", fields{"bytes": large.Bytes, "limit": large.Limit})
	}
	if err != nil {
		return &muster.FailedError{}
	}
	return nil
}

func report(report muster.Report) {
	switch report := report.(type) {
	case muster.Opened:
		saw("open", fields{"resumed": report.Welcome.Resumed})
	case muster.Offline:
		tellEnd(report.End)
	case muster.Gone:
		tellEnd(report.End)
	case muster.Gap:
		saw("gap", fields{"from": report.From, "to": report.To})
	case muster.NodeError:
		saw("error", fields{"code": report.Code})
	case muster.EventStored:
		saw("stored", fields{"id": report.ID})
	case muster.NotSent:
		saw("too_large", fields{"bytes": report.Err.Bytes, "limit": report.Err.Limit})
	case muster.Problem:
		log.Print(report.Err)
	}
}

func tellEnd(end *muster.End) {
	log.Print(end)
	switch {
	case end.Kind == muster.Left:
	case end.Kind == muster.Closed:
		saw("close", fields{"code": end.Code})
	case end.WasOpen:
		saw("close", fields{"code": 1006})
	case end.Kind == muster.Refused:
		saw("refused", fields{"status": end.Status})
	default:
		saw("refused", nil)
	}
}
