// Package lines has what each program of this folder is told, and what it prints: one JSON object a line.
// Go reads the CA from SSL_CERT_FILE.
package lines

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

var offered = os.Getenv("HEAD") == "subprotocol"

// URL is where to connect.
var URL = os.Args[1]

// Header is what the handshake has besides.
func Header() http.Header {
	if offered {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + os.Getenv("TOKEN")}}
}

// Protocols is what the handshake offers.
func Protocols() []string {
	if !offered {
		return nil
	}
	return []string{"muster.plain", "muster.bearer." + os.Getenv("TOKEN")}
}

// Say prints what the library told: names and values in turn.
func Say(saw string, fields ...any) {
	line := map[string]any{"saw": saw}
	for at := 0; at < len(fields); at += 2 {
		line[fields[at].(string)] = fields[at+1]
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

// Text prints a message, and returns what is to be sent in answer, if anything is.
func Text(message string) string {
	Say("text", "size", len(message), "text", message[:min(len(message), 64)])
	if size, found := strings.CutPrefix(message, "send "); found {
		count, _ := strconv.Atoi(size)
		return strings.Repeat("x", count)
	}
	return ""
}

// Refused prints why there is no session: the answer to the handshake, or the error if there was none.
func Refused(answer *http.Response, failure error) {
	if answer == nil {
		Say("error", "text", failure.Error())
		return
	}
	body, _ := io.ReadAll(answer.Body)
	Say("refused", "status", answer.StatusCode, "body", string(body))
}
