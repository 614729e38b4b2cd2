// coder/websocket. Its limit of a message, 32 KiB by default, is less than a command may have.
package main

import (
	"context"
	"errors"

	"github.com/coder/websocket"
	"others/lines"
)

func main() {
	all := context.Background()
	settings := &websocket.DialOptions{HTTPHeader: lines.Header(), Subprotocols: lines.Protocols()}
	session, answer, err := websocket.Dial(all, lines.URL, settings)
	if err != nil {
		lines.Refused(answer, err)
		return
	}
	session.SetReadLimit(1 << 20)
	lines.Say("open")
	session.Write(all, websocket.MessageText, []byte("hello"))
	for {
		_, message, err := session.Read(all)
		if err != nil {
			ended(err)
			return
		}
		if answer := lines.Text(string(message)); answer != "" {
			session.Write(all, websocket.MessageText, []byte(answer))
		}
	}
}

func ended(err error) {
	if end := (websocket.CloseError{}); errors.As(err, &end) {
		lines.Say("close", "code", int(end.Code), "reason", end.Reason)
	} else {
		lines.Say("error", "text", err.Error())
	}
}
