// golang.org/x/net/websocket, which keeps close codes and refusals to itself.
package main

import (
	"strings"

	"golang.org/x/net/websocket"
	"others/lines"
)

func main() {
	origin, _, _ := strings.Cut(strings.Replace(lines.URL, "ws", "http", 1), "/ws?")
	config, err := websocket.NewConfig(lines.URL, origin)
	if err != nil {
		panic(err)
	}
	config.Header, config.Protocol = lines.Header(), lines.Protocols()
	session, err := websocket.DialConfig(config)
	if err != nil {
		lines.Refused(nil, err)
		return
	}
	lines.Say("open")
	websocket.Message.Send(session, "hello")
	for {
		var message string
		if err := websocket.Message.Receive(session, &message); err != nil {
			lines.Say("error", "text", err.Error())
			return
		}
		if answer := lines.Text(message); answer != "" {
			websocket.Message.Send(session, answer)
		}
	}
}
