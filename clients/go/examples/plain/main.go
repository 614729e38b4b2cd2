// A terminal in plain mode, with nothing but a WebSocket: it prints each command, and says hello as an event.
//
//	go run ./examples/plain ws://127.0.0.1:9000/ws plain-1 [TOKEN]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"
)

func main() {
	args := append(os.Args[1:], "")
	// The next delay is between 0 and this.
	wide := 5 * time.Second
	for {
		began := time.Now()
		err := connect(args[0]+"?terminal_id="+args[1], args[2])
		fmt.Println(err)
		if time.Since(began) > time.Minute {
			wide = 5 * time.Second
		}
		var end websocket.CloseError
		var hint struct {
			RetryMs *float64 `json:"retry_ms"`
		}
		if errors.As(err, &end) && end.Code >= 4500 && end.Code <= 4999 {
			return
		}
		if json.Unmarshal([]byte(end.Reason), &hint) == nil && hint.RetryMs != nil {
			time.Sleep(time.Duration(*hint.RetryMs * (1 + rand.Float64()/10) * float64(time.Millisecond)))
			continue
		}
		time.Sleep(time.Duration(rand.Float64() * float64(wide)))
		wide = min(2*wide, 30*time.Second)
	}
}

func connect(url, token string) error {
	header := http.Header{"Authorization": {"Bearer " + token}}
	conn, _, err := websocket.Dial(context.Background(), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	err = conn.Write(context.Background(), websocket.MessageText, []byte("hello"))
	for text := []byte("connected"); err == nil; _, text, err = conn.Read(context.Background()) {
		fmt.Printf("%s\n", text)
	}
	return err
}
