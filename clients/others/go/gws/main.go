// lxzan/gws
package main

import (
	"errors"
	"strings"

	"github.com/lxzan/gws"
	"others/lines"
)

type terminal struct{ gws.BuiltinEventHandler }

func (terminal) OnOpen(session *gws.Conn) {
	lines.Say("open")
	session.WriteString("hello")
}

func (terminal) OnPing(session *gws.Conn, payload []byte) { session.WritePong(payload) }

func (terminal) OnMessage(session *gws.Conn, message *gws.Message) {
	defer message.Close()
	if answer := lines.Text(string(message.Bytes())); answer != "" {
		session.WriteString(answer)
	}
}

func (terminal) OnClose(_ *gws.Conn, err error) {
	if end := (*gws.CloseError)(nil); errors.As(err, &end) {
		lines.Say("close", "code", end.Code, "reason", string(end.Reason))
	} else {
		lines.Say("error", "text", err.Error())
	}
}

func main() {
	header := lines.Header()
	if offered := lines.Protocols(); offered != nil {
		header.Set("Sec-WebSocket-Protocol", strings.Join(offered, ", "))
	}
	session, answer, err := gws.NewClient(terminal{}, &gws.ClientOption{Addr: lines.URL, RequestHeader: header})
	if err != nil {
		lines.Refused(answer, err)
		return
	}
	session.ReadLoop()
}
