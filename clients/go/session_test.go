package muster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// sessionStep is one of session.json.
type sessionStep struct {
	Client, Node, Program frame
	Close                 int
}

// expectNamed compares the fields that a vector names. What is null there is missing.
func expectNamed(t *testing.T, got, want frame) {
	t.Helper()
	named := frame{}
	for name := range want {
		named[name] = got[name]
	}
	expect(t, named, want)
}

func TestASessionGoesAsTheVectorsSay(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Means string
			Steps []sessionStep
		}
	}
	readVectors(t, "session", &vectors)
	for _, vector := range vectors.Cases {
		t.Run(vector.Means, func(t *testing.T) { play(t, vector.Steps) })
	}
}

func play(t *testing.T, steps []sessionStep) {
	saw := make(chan frame, 10)
	node := newFakeNode(t)
	terminal := start(t, node, Config{Run: func(_ context.Context, command *Command) (any, error) {
		told := frame{"saw": "command", "id": command.ID, "name": command.Name}
		if command.Payload.Bytes != nil {
			told["payload_base64"] = base64.StdEncoding.EncodeToString(command.Payload.Bytes)
		} else {
			var payload any
			_ = json.Unmarshal(command.Payload.JSON, &payload)
			told["payload"] = payload
		}
		saw <- told
		return command.Payload, nil
	}})
	for _, step := range steps {
		switch {
		case step.Client != nil:
			expectNamed(t, node.hear(), step.Client)
		case step.Node != nil:
			node.say(step.Node)
		case step.Close != 0:
			node.close(step.Close, "")
		case step.Program["saw"] == "gap":
			gap := reported[Gap](t, terminal)
			expectNamed(t, frame{"saw": "gap", "from": gap.From, "to": gap.To}, step.Program)
		default:
			select {
			case told := <-saw:
				expectNamed(t, told, step.Program)
			case <-time.After(patience):
				t.Fatal("the program saw no command")
			}
		}
	}
	if len(saw) > 0 {
		t.Error("the program saw more than it should")
	}
}
