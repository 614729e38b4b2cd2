package muster

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// protocol is the subprotocol.
const protocol = "muster.v1"

// newHTTPClient makes what opens connections. A redirect is an answer like any other: the token is for the server of the URL alone.
func newHTTPClient(config *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if config != nil {
		transport.TLSClientConfig = config
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// dial opens a session: handshake, hello and welcome, all before the deadline. heard is called for each ping.
func (t *Terminal) dial(ctx context.Context, url string, heard func()) (*websocket.Conn, Welcome, *End) {
	limited, cancel := context.WithTimeout(ctx, t.config.Deadline)
	defer cancel()
	conn, end := t.shake(limited, url, heard)
	var welcome Welcome
	if end == nil {
		welcome, end = t.greet(limited, conn)
	}
	switch {
	case end == nil:
		return conn, welcome, nil
	case conn != nil:
		_ = conn.CloseNow()
	}
	switch {
	case ctx.Err() != nil:
		return nil, Welcome{}, &End{Kind: Left}
	case limited.Err() != nil && end.Kind == Lost:
		return nil, Welcome{}, &End{Kind: NoWelcome}
	default:
		return nil, Welcome{}, end
	}
}

func (t *Terminal) shake(ctx context.Context, url string, heard func()) (*websocket.Conn, *End) {
	header := http.Header{}
	if t.tokens.current != "" {
		header.Set("Authorization", "Bearer "+t.tokens.current)
	}
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient:      t.http,
		HTTPHeader:      header,
		Subprotocols:    []string{protocol},
		CompressionMode: websocket.CompressionDisabled,
		OnPingReceived:  func(context.Context, []byte) bool { heard(); return true },
	})
	switch {
	case err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols:
		return nil, refused(response.StatusCode, response.Header.Get("Retry-After"))
	case err != nil:
		return nil, lost(err.Error())
	case conn.Subprotocol() != protocol:
		return conn, lost("the server does not speak " + protocol)
	}
	conn.SetReadLimit(messageMax)
	return conn, nil
}

// greet says hello and waits for the welcome, which is the first frame of a node unless it says goodbye.
func (t *Terminal) greet(ctx context.Context, conn *websocket.Conn) (Welcome, *End) {
	hello, err := t.hello()
	if err != nil {
		return Welcome{}, lost(err.Error())
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(hello)); err != nil {
		return Welcome{}, endOf(err)
	}
	var goodbye *nodeFrame
	for {
		kind, text, err := conn.Read(ctx)
		if err != nil {
			return Welcome{}, endOf(err).after(goodbye)
		}
		frame, err := decode(text)
		switch {
		case kind != websocket.MessageText || err != nil:
		case frame.Type == "welcome":
			return frame.welcome(), nil
		case frame.Type == "goodbye":
			goodbye = frame
		default:
			return Welcome{}, lost("the first frame is not a welcome")
		}
	}
}

// endOf is the end that an error of the connection makes.
func endOf(err error) *End {
	var frame websocket.CloseError
	if errors.As(err, &frame) {
		return closed(int(frame.Code), frame.Reason)
	}
	return lost(strings.TrimPrefix(err.Error(), "failed to get reader: "))
}

// after takes the hint of the goodbye, which may be nil, if the close had none.
func (e *End) after(goodbye *nodeFrame) *End {
	if e.Kind == Closed && !e.HasHint && goodbye != nil && goodbye.RetryMs != nil {
		e.setHint(*goodbye.RetryMs, time.Millisecond)
	}
	return e
}
