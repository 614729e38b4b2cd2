package muster

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

var terminalID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// endpoints returns the URLs, each with the terminal's id in its query. The text of one that can't be used is not repeated, since it may
// hold a secret.
func endpoints(urls []string, id string) ([]string, error) {
	if !terminalID.MatchString(id) {
		return nil, errors.New("ID: give 1 to 128 characters of A-Z a-z 0-9 . _ : -")
	}
	if len(urls) == 0 {
		return nil, errors.New("URLs: give at least one, such as ws://127.0.0.1:9000/ws")
	}
	var complete []string
	for index, text := range urls {
		parsed, err := url.Parse(text)
		if err != nil || parsed.Host == "" || (parsed.Scheme != "ws" && parsed.Scheme != "wss") {
			return nil, fmt.Errorf("URLs[%d]: write wss://HOST/PATH, or ws://HOST:PORT/PATH without TLS", index)
		}
		if parsed.User != nil {
			return nil, fmt.Errorf("URLs[%d]: leave out user and password, and set Token", index)
		}
		query := parsed.Query()
		query.Set("terminal_id", id)
		parsed.RawQuery, parsed.Fragment = query.Encode(), ""
		complete = append(complete, parsed.String())
	}
	return complete, nil
}
