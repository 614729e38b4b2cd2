package muster

import "time"

// Report is something that happened to a terminal: one of the types below. The last one is Gone.
type Report interface{ isReport() }

type (
	// Opened: a session is ready.
	Opened struct{ Welcome Welcome }
	// Offline: the session ended, or an attempt failed. The next attempt follows after RetryIn.
	Offline struct {
		End     *End
		RetryIn time.Duration
	}
	// Gone: the terminal will not come back.
	Gone struct{ End *End }
	// Gap: commands for this terminal were lost, from one cursor to another.
	Gap struct{ From, To, Reason string }
	// NodeError: the node could not use a frame.
	NodeError struct{ Code, Message string }
	// EventStored: the node has the event with this id.
	EventStored struct{ ID string }
	// Repeated: a command came again, was acknowledged again, and did not run again.
	Repeated struct{ ID string }
	// Expired: a command came too late. The node was told, and it did not run.
	Expired struct{ ID string }
	// NotSent: a message was over the node's limit. In place of a result the node is told that the command failed.
	NotSent struct{ Err *TooLargeError }
	// Problem: the token source failed, or the memory can't be written. The terminal goes on.
	Problem struct{ Err error }
)

func (Opened) isReport()      {}
func (Offline) isReport()     {}
func (Gone) isReport()        {}
func (Gap) isReport()         {}
func (NodeError) isReport()   {}
func (EventStored) isReport() {}
func (Repeated) isReport()    {}
func (Expired) isReport()     {}
func (NotSent) isReport()     {}
func (Problem) isReport()     {}
