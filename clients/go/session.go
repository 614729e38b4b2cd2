package muster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// missedPings is after how many ping intervals without anything from the node a connection is taken for dead.
	missedPings = 3
	// closeTimeout is how long a terminal that leaves waits for the node to answer its close.
	closeTimeout = time.Second
)

// session is one connection, from its welcome to its end. What outlives it belongs to the terminal.
type session struct {
	terminal *Terminal
	conn     *websocket.Conn
	ping     time.Duration
	// heardAt is when something came last.
	heardAt *atomic.Pointer[time.Time]
	// refused tells that the node refused the token that was sent last.
	refused chan struct{}
	// goodbye is the last one, or nil.
	goodbye *nodeFrame
}

// serve runs until the session ends, or the context does: then the connection is closed with 1000.
func (s *session) serve(leaving context.Context) *End {
	ctx, finish := context.WithCancelCause(context.WithoutCancel(leaving))
	parts := []func(){
		func() { finish(s.write(ctx, leaving)) },
		func() { finish(s.watch(ctx)) },
		func() { s.renew(ctx) },
	}
	var running sync.WaitGroup
	for _, part := range parts {
		running.Add(1)
		go func() {
			defer running.Done()
			part()
		}()
	}
	finish(s.read(ctx, leaving))
	running.Wait()
	_ = s.conn.CloseNow()
	var end *End
	if leaving.Err() != nil {
		end = &End{Kind: Left}
	} else if !errors.As(context.Cause(ctx), &end) {
		end = lost(context.Cause(ctx).Error())
	}
	return end.after(s.goodbye)
}

// read takes what comes, until the connection ends.
func (s *session) read(ctx, leaving context.Context) error {
	for {
		kind, text, err := s.conn.Read(ctx)
		if err != nil {
			return endOf(err)
		}
		s.heard()
		// What comes while the terminal leaves is not taken: the node sends it again. A node of muster.v1 sends no binary messages.
		if leaving.Err() != nil || kind != websocket.MessageText {
			continue
		}
		if frame, err := decode(text); err == nil {
			if end := s.take(frame); end != nil {
				return end
			}
		}
	}
}

func (s *session) take(frame *nodeFrame) error {
	t := s.terminal
	switch frame.Type {
	case "command":
		// The next session brings this command again, since the cursor has not passed it.
		if !t.inbox.receive(frame) {
			return lost("too many commands wait for the program")
		}
	case "ack":
		t.report(EventStored{*frame.ID})
	case "gap":
		t.inbox.pass(*frame.To)
		t.report(Gap{*frame.From, *frame.To, *frame.Reason})
	case "goodbye":
		s.goodbye = frame
	case "error":
		if *frame.Code == "token_refused" || *frame.Code == "token_too_soon" {
			select {
			case s.refused <- struct{}{}:
			default:
			}
		}
		t.report(NodeError{*frame.Code, *frame.Message})
	}
	return nil
}

// write sends what the outbox has. When the terminal leaves, it sends the rest and closes the connection.
func (s *session) write(ctx, leaving context.Context) error {
	for {
		if s.terminal.outbox.isStuck() {
			return lost("the node does not read what it is sent")
		}
		if err := s.flush(ctx); err != nil {
			// The reader learns why the connection ended.
			sleep(ctx, closeTimeout)
			return endOf(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.terminal.outbox.wake:
		case <-leaving.Done():
			timer := time.AfterFunc(closeTimeout, func() { _ = s.conn.CloseNow() })
			defer timer.Stop()
			_ = s.flush(ctx)
			_ = s.conn.Close(websocket.StatusNormalClosure, "")
			return &End{Kind: Left}
		}
	}
}

func (s *session) flush(ctx context.Context) error {
	for {
		text, isSome := s.terminal.outbox.next()
		if !isSome {
			return nil
		}
		if err := s.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return err
		}
	}
}

// watch ends when the line is dead at the other end.
func (s *session) watch(ctx context.Context) error {
	if s.ping == 0 {
		<-ctx.Done()
		return nil
	}
	limit := s.ping * missedPings
	for {
		silence := time.Since(*s.heardAt.Load())
		if silence >= limit {
			return &End{Kind: Silent}
		}
		if !sleep(ctx, limit-silence) {
			return nil
		}
	}
}

func (s *session) heard() {
	now := time.Now()
	s.heardAt.Store(&now)
}

// renew sends newer tokens, which extend the session.
func (s *session) renew(ctx context.Context) {
	t := s.terminal
	wait, isSome := t.tokens.begin(t.clock.now())
	for isSome {
		select {
		case <-ctx.Done():
			return
		case <-s.refused:
			wait = t.tokens.later()
			continue
		case <-time.After(wait):
		}
		token, err := t.tokens.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = t.tokens.later()
			t.report(Problem{err})
		case !t.tokens.extend(token):
			wait = t.tokens.later()
		default:
			if frame, err := encode(tokenFrame{"token", token}); err == nil {
				t.outbox.sendNow(frame)
			}
			previous := t.tokens.previous
			wait, isSome = t.tokens.begin(t.clock.now())
			t.tokens.previous = previous
		}
	}
}

// sleep waits. False if the context has ended.
func sleep(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return ctx.Err() == nil
	}
}
