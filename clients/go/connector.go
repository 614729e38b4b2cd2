package muster

import (
	"context"
	"sync/atomic"
	"time"
)

// connector connects, waits for the end of the session, waits, and connects again.
type connector struct {
	terminal *Terminal
	backoff  *backoff
	// next is the index of the URL for the next attempt.
	next int
	// refusals is how many different tokens were refused in a row, and refused the last of them.
	refusals int
	refused  string
}

// run runs until the terminal will not come back, or the context ends.
func (c *connector) run(ctx context.Context) *End {
	for {
		end, lasted := c.attempt(ctx)
		if ctx.Err() != nil {
			return &End{Kind: Left, WasOpen: end.WasOpen}
		}
		retryIn, isBack := c.backoff.after(end, lasted)
		if !isBack {
			return end
		}
		lacksToken := c.lacksToken(ctx, end)
		if lacksToken {
			retryIn = c.backoff.slowly()
		}
		c.terminal.report(Offline{end, retryIn})
		if lacksToken {
			c.waitForToken(ctx, retryIn)
		} else {
			sleep(ctx, retryIn)
		}
	}
}

// attempt makes one attempt, and serves the session if there is one. It returns how long the session lasted, 0 without one.
func (c *connector) attempt(ctx context.Context) (*End, time.Duration) {
	t := c.terminal
	if err := t.tokens.beforeAttempt(ctx, t.clock.now()); err != nil && ctx.Err() == nil {
		if t.tokens.current == "" {
			return &End{Kind: NoToken, Reason: err.Error()}, 0
		}
		t.report(Problem{err})
	}
	session := &session{terminal: t, heardAt: &atomic.Pointer[time.Time]{}, refused: make(chan struct{}, 1)}
	conn, welcome, end := t.dial(ctx, t.urls[c.next], session.heard)
	var lasted time.Duration
	if end == nil {
		began := time.Now()
		session.conn, session.ping = conn, welcome.Ping
		session.heard()
		c.refusals = 0
		t.opened(welcome)
		end = session.serve(ctx)
		t.outbox.close()
		end.WasOpen, lasted = true, time.Since(began)
	}
	// A node that sent a close is healthy, and its hint says when to return to it.
	if end.Kind != Closed {
		c.next = (c.next + 1) % len(t.urls)
	}
	return end, lasted
}

// lacksToken says whether the terminal is to come back slowly, since its token is no good and its source has no other. After several tokens
// in a row that were refused, another one does not hurry the terminal either.
func (c *connector) lacksToken(ctx context.Context, end *End) bool {
	if !end.needsToken() {
		return false
	}
	tokens := c.terminal.tokens
	if c.refusals == 0 || c.refused != tokens.current {
		c.refusals++
	}
	c.refused = tokens.current
	if c.refusals > 1 {
		return true
	}
	if c.hasNewToken(ctx) {
		return false
	}
	// A token that was sent too late to extend the session may still be valid.
	return end.Kind == Refused || !tokens.canChange() || tokens.isExpired(c.terminal.clock.now())
}

// hasNewToken asks the source. It returns whether the source has another token, which is then used.
func (c *connector) hasNewToken(ctx context.Context) bool {
	isNew, err := c.terminal.tokens.replace(ctx)
	if err != nil && ctx.Err() == nil {
		c.terminal.report(Problem{err})
	}
	return isNew
}

// waitForToken waits until the source has another token, or for that time.
func (c *connector) waitForToken(ctx context.Context, wait time.Duration) {
	until := time.Now().Add(wait)
	for {
		part := time.Until(until)
		if c.terminal.tokens.canChange() {
			part = min(part, c.backoff.beforeAsking(c.refusals))
		}
		if !sleep(ctx, part) || !time.Now().Before(until) || c.hasNewToken(ctx) {
			return
		}
	}
}
