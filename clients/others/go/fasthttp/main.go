// fasthttp/websocket, which is gorilla/websocket for fasthttp
package main

import (
	"errors"

	"github.com/fasthttp/websocket"
	"others/lines"
)

func main() {
	dialer := websocket.Dialer{Subprotocols: lines.Protocols()}
	session, answer, err := dialer.Dial(lines.URL, lines.Header())
	if err != nil {
		lines.Refused(answer, err)
		return
	}
	lines.Say("open")
	session.WriteMessage(websocket.TextMessage, []byte("hello"))
	for {
		_, message, err := session.ReadMessage()
		if err != nil {
			ended(err)
			return
		}
		if answer := lines.Text(string(message)); answer != "" {
			session.WriteMessage(websocket.TextMessage, []byte(answer))
		}
	}
}

func ended(err error) {
	if end := (*websocket.CloseError)(nil); errors.As(err, &end) {
		lines.Say("close", "code", end.Code, "reason", end.Text)
	} else {
		lines.Say("error", "text", err.Error())
	}
}
