package muster

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	oneID   = "0190163d-8694-739b-aea5-966c26f8ad91"
	otherID = "f190163d-8694-739b-aea5-966c26f8ad91"
	// patience is how long a test waits for what must come.
	patience = 10 * time.Second
)

// frame is one that a terminal sent, or that a node is to send.
type frame map[string]any

// fakeNode does what a test says.
type fakeNode struct {
	t      *testing.T
	server *httptest.Server
	// refuse returns a status to refuse a handshake, or 0.
	refuse  func() int
	heard   chan frame
	mu      sync.Mutex
	conn    *websocket.Conn
	request *http.Request
}

func newFakeNode(t *testing.T) *fakeNode { return serve(t, httptest.NewServer) }

// newTLSNode has a certificate that no system trusts.
func newTLSNode(t *testing.T) *fakeNode { return serve(t, httptest.NewTLSServer) }

func serve(t *testing.T, by func(http.Handler) *httptest.Server) *fakeNode {
	node := &fakeNode{t: t, heard: make(chan frame, 1000), refuse: func() int { return 0 }}
	node.server = by(http.HandlerFunc(node.accept))
	t.Cleanup(node.server.Close)
	return node
}

func (n *fakeNode) url() string { return strings.Replace(n.server.URL, "http", "ws", 1) + "/ws" }

func (n *fakeNode) accept(answer http.ResponseWriter, request *http.Request) {
	if status := n.refuse(); status != 0 {
		answer.Header().Set("Retry-After", "0")
		answer.WriteHeader(status)
		return
	}
	conn, err := websocket.Accept(answer, request, &websocket.AcceptOptions{Subprotocols: []string{protocol}})
	if err != nil {
		return
	}
	conn.SetReadLimit(messageMax)
	n.mu.Lock()
	n.conn, n.request = conn, request
	n.mu.Unlock()
	for {
		_, text, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		heard := frame{}
		_ = json.Unmarshal(text, &heard)
		n.heard <- heard
	}
}

func (n *fakeNode) connection() *websocket.Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conn
}

// hear returns the next frame of the terminal.
func (n *fakeNode) hear() frame {
	n.t.Helper()
	select {
	case heard := <-n.heard:
		return heard
	case <-time.After(patience):
		n.t.Fatal("the terminal said nothing")
		return nil
	}
}

func (n *fakeNode) say(said frame) {
	text, _ := json.Marshal(said)
	_ = n.connection().Write(context.Background(), websocket.MessageText, text)
}

// welcome hears the hello and welcomes the terminal, with these fields besides.
func (n *fakeNode) welcome(more frame) frame {
	n.t.Helper()
	hello := n.hear()
	n.say(with(frame{"type": "welcome", "session": "s", "node": "n", "time": "2030-01-01T00:00:00Z", "ping_ms": 25000, "resumed": false, "cursor": "c0"}, more))
	return hello
}

func (n *fakeNode) command(more frame) {
	n.say(with(frame{"type": "command", "id": oneID, "name": "show", "payload": 1, "expires_at": "2030-01-01T00:01:00Z"}, more))
}

func (n *fakeNode) close(code int, reason string) {
	_ = n.connection().Close(websocket.StatusCode(code), reason)
}

func (n *fakeNode) drop() { _ = n.connection().CloseNow() }

func with(fields, more frame) frame {
	for name, value := range more {
		fields[name] = value
	}
	return fields
}

// started is a terminal that runs, and what it reported.
type started struct {
	*Terminal
	reports chan Report
	ended   chan error
	leave   context.CancelFunc
}

// start runs a terminal until the end of the test.
func start(t *testing.T, node *fakeNode, config Config) *started {
	t.Helper()
	s := &started{reports: make(chan Report, 1000), ended: make(chan error, 1)}
	if config.URLs == nil {
		config.URLs = []string{node.url()}
	}
	if config.Run == nil {
		config.Run = func(context.Context, *Command) (any, error) { return nil, nil }
	}
	if config.Policy == (Policy{}) {
		config.Policy = Policy{First: 20 * time.Millisecond, Cap: 20 * time.Millisecond, Slow: 200 * time.Millisecond}
	}
	config.ID, config.Report = "t1", func(report Report) { s.reports <- report }
	var err error
	if s.Terminal, err = New(config); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	s.leave = leave
	go func() { s.ended <- s.Run(ctx) }()
	t.Cleanup(s.stop)
	return s
}

// stop ends the terminal, and waits for that.
func (s *started) stop() {
	s.leave()
	s.ended <- <-s.ended
}

// reported returns the next report of this type.
func reported[R Report](t *testing.T, s *started) R {
	t.Helper()
	for {
		select {
		case report := <-s.reports:
			if report, is := report.(R); is {
				return report
			}
		case <-time.After(patience):
			t.Fatalf("no report %T", *new(R))
		}
	}
}
