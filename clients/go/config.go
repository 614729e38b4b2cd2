package muster

import (
	"context"
	"crypto/tls"
	"time"
)

const sdk = "muster-client-go/0.1.0"

// Config is what a terminal is, and where it connects. URLs, ID and Run must be set.
type Config struct {
	// URLs are such as wss://HOST/ws or ws://HOST:PORT/ws. The next one is tried after each failure.
	URLs []string
	// ID is the terminal's id, unique in the fleet: 1 to 128 of A-Z a-z 0-9 . _ : -. A second session of an id ends the first.
	ID string
	// Run runs a command. What it returns is the reply of a command that succeeded: a Payload, []byte as bytes, or what json.Marshal takes.
	// See ErrLater, FailedError and RejectedError for its error. Commands run one after the other, in their order. A command is
	// acknowledged when Run returns, answers or has run for 100 ms. The context ends when the terminal is gone.
	Run func(context.Context, *Command) (any, error)
	// Report is called for each thing that happens, one at a time. It must return soon, and not call methods of a Command. May be nil.
	Report func(Report)
	// Token is where the token comes from.
	Token TokenSource
	// Memory is the file of what outlives the program: the ids of the commands that it was given, cursor, results. Without it a command that
	// is sent again after a restart runs again.
	Memory string
	// Remember is how many command ids are remembered; 4096 by default.
	Remember int
	// Parallel is how many commands run at once; 1 by default.
	Parallel int
	// Labels are texts such as site=bj.
	Labels map[string]string
	// Will is published as an event named "will" if the terminal is lost without a close. At most 8 KiB as JSON. Nil for none.
	Will any
	// SDK is the name and version of the program.
	SDK string
	// Deadline is how long an attempt may take up to the welcome, and how long the token source may take; 10 s by default.
	Deadline time.Duration
	// Policy has the times of reconnecting.
	Policy Policy
	// TLS is for wss URLs. Nil for the defaults.
	TLS *tls.Config
}

func (c Config) withDefaults() Config {
	if c.SDK == "" {
		c.SDK = sdk
	}
	if c.Remember == 0 {
		c.Remember = 4096
	}
	if c.Deadline == 0 {
		c.Deadline = 10 * time.Second
	}
	return c
}
