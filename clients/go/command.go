package muster

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrLater is returned by Config.Run for a command whose result is sent later by Succeed, Fail or Reject, or never.
var ErrLater = errors.New("the result comes later")

// FailedError is returned by Config.Run: the command failed, and Payload is the reply. Any other error replies {"error": its text}.
type FailedError struct{ Payload any }

// Error says that the command failed.
func (e *FailedError) Error() string { return fmt.Sprintf("the command failed: %v", e.Payload) }

// RejectedError is returned by Config.Run: the program does not know the command, or refuses it. Payload is the reply, and may be nil.
type RejectedError struct{ Payload any }

// Error says that the command was rejected.
func (e *RejectedError) Error() string { return "the command is rejected" }

// Command is a command in the hands of the program.
type Command struct {
	// ID is a UUID in lower case.
	ID string
	// Name is what to do.
	Name string
	// Payload has the arguments; JSON null if there are none.
	Payload Payload
	// ExpiresAt is the time after which the command was not to be begun, by the node's clock.
	ExpiresAt time.Time

	outbox *outbox
	// hasIt acknowledges the command, once. A program that answers has it.
	hasIt  func()
	mu     sync.Mutex
	isDone bool
}

// Progress tells operators how far the command is. Of several that wait for the connection, the last is sent. It does nothing after the
// result. The error is a TooLargeError, or that of a payload which is no JSON.
func (c *Command) Progress(payload any) error {
	value, err := payloadOf(payload)
	if err != nil {
		return err
	}
	frame, err := encode(replyFrame{Type: "progress", ID: c.ID, payloadFields: value.fields()})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDone {
		return nil
	}
	c.hasIt()
	return c.outbox.send(frame, c.ID)
}

// Succeed sends the result, for a command whose function returned ErrLater. The first result counts. The error is that of a payload which
// is no JSON.
func (c *Command) Succeed(payload any) error {
	return c.result(resultFrame{OK: true}, payload)
}

// Fail is as Succeed, for a command that failed.
func (c *Command) Fail(payload any) error {
	return c.result(resultFrame{}, payload)
}

// Reject is as Succeed, for a command that the program does not know or refuses.
func (c *Command) Reject(payload any) error {
	return c.result(resultFrame{Reason: "rejected"}, payload)
}

// end sends what the program's function returned.
func (c *Command) end(reply any, err error) {
	var failed *FailedError
	var rejected *RejectedError
	switch {
	case errors.Is(err, ErrLater):
		return
	case errors.As(err, &rejected):
		err = c.Reject(rejected.Payload)
	case errors.As(err, &failed):
		err = c.Fail(failed.Payload)
	case err == nil:
		err = c.Succeed(reply)
	}
	if err != nil {
		_ = c.Fail(map[string]string{"error": err.Error()})
	}
}

func (c *Command) result(frame resultFrame, payload any) error {
	value, err := payloadOf(payload)
	if err != nil {
		return err
	}
	frame.Type, frame.ID, frame.payloadFields = "result", c.ID, value.fields()
	text, err := encode(frame)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isDone {
		c.isDone = true
		c.hasIt()
		c.outbox.result(c.ID, text)
	}
	return nil
}

// expiredResult is the result of a command that came too late.
func expiredResult(id string) string {
	text, _ := encode(resultFrame{Type: "result", ID: id, Reason: "expired", payloadFields: Payload{}.fields()})
	return text
}
