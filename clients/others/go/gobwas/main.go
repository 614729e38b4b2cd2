// gobwas/ws
package main

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"others/lines"
)

// What came with the answer to the handshake is read first.
type session struct {
	net.Conn
	io.Reader
}

func (s session) Read(into []byte) (int, error) { return s.Reader.Read(into) }

func main() {
	refused := false
	dialer := ws.Dialer{
		Header:    ws.HandshakeHeaderHTTP(lines.Header()),
		Protocols: lines.Protocols(),
		OnStatusError: func(status int, _ []byte, answer io.Reader) {
			whole, _ := io.ReadAll(io.LimitReader(answer, 4096))
			lines.Say("refused", "status", status, "body", string(whole))
			refused = true
		},
	}
	conn, early, _, err := dialer.Dial(context.Background(), lines.URL)
	if err != nil {
		if !refused {
			lines.Refused(nil, err)
		}
		return
	}
	line := session{conn, conn}
	if early != nil {
		line.Reader = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), conn)
	}
	lines.Say("open")
	wsutil.WriteClientText(line, []byte("hello"))
	for {
		message, err := wsutil.ReadServerText(line)
		if err != nil {
			ended(err)
			return
		}
		if answer := lines.Text(string(message)); answer != "" {
			wsutil.WriteClientText(line, []byte(answer))
		}
	}
}

func ended(err error) {
	if end := (wsutil.ClosedError{}); errors.As(err, &end) {
		lines.Say("close", "code", int(end.Code), "reason", end.Reason)
	} else {
		lines.Say("error", "text", err.Error())
	}
}
