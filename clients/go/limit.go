package muster

import "fmt"

const (
	// eventMax is how many bytes name and payload of an event have together at most.
	eventMax = 8 << 10
	// messageMax is the largest message in either direction, in bytes, whatever a node says.
	messageMax = 1 << 20
	// defaultMaxMessage is what a node takes that does not say, in bytes.
	defaultMaxMessage = 64 << 10
	// tokenMax is the largest token that a node takes, in bytes.
	tokenMax = 16 << 10
)

// TooLargeError is the error for an event or a message over its limit, which is not sent.
type TooLargeError struct {
	// What is what was to be sent.
	What string
	// Bytes and Limit are the size and the largest size, in bytes.
	Bytes, Limit int
}

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, and a node takes at most %d: send less", e.What, e.Bytes, e.Limit)
}
