package muster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// TokenSource is where a terminal gets its token, and newer ones before it expires. The zero value is for nodes that need no token.
type TokenSource struct {
	fixed string
	fetch func(context.Context) (string, error)
	// isFile says whether asking costs so little that it is done before each attempt.
	isFile bool
}

// TokenFunc is a function that fetches a token. It is called if there is no token yet, before the token expires, and after a node has
// refused it. Its context ends after Config.Deadline. Its error is reported, so it must hold no token.
func TokenFunc(fetch func(context.Context) (string, error)) TokenSource {
	return TokenSource{fetch: fetch}
}

// TokenFile is a file that holds the token, and that another program may replace by rename. It is read before each attempt too. White space
// around the token is ignored.
func TokenFile(path string) TokenSource {
	return TokenSource{fetch: func(context.Context) (string, error) { return readToken(path) }, isFile: true}
}

// FixedToken is a token that can't be renewed: the session ends when it expires.
func FixedToken(token string) TokenSource {
	return TokenSource{fixed: token}
}

// String hides the token.
func (TokenSource) String() string { return "***" }

// GoString hides the token.
func (TokenSource) GoString() string { return "***" }

// ask returns a token within the context's time, also if the function does not heed the context.
func (s TokenSource) ask(ctx context.Context) (string, error) {
	type answer struct {
		token string
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		token, err := s.fetch(ctx)
		answers <- answer{token, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("no answer before the deadline")
	case answer := <-answers:
		if answer.err != nil {
			return "", answer.err
		}
		return checkedToken(answer.token)
	}
}

func readToken(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, tokenMax+1))
	if err == nil && len(text) > tokenMax {
		err = fmt.Errorf("%s has more than %d bytes: it must hold a token alone", path, tokenMax)
	}
	return string(text), err
}

var oneWord = regexp.MustCompile(`^[\x21-\x7e]+$`)

// checkedToken returns the token without white space around it. The error does not repeat it.
func checkedToken(token string) (string, error) {
	token = strings.TrimSpace(token)
	if len(token) > tokenMax || !oneWord.MatchString(token) {
		return "", fmt.Errorf("a token is one word of 1 to %d visible ASCII characters", tokenMax)
	}
	return token, nil
}

// expiryOf returns the last second in which the token says that it is valid, since 1970. False if it does not say. Nothing is verified.
func expiryOf(token string) (int64, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return 0, false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil || claims.Exp == nil {
		return 0, false
	}
	return int64(min(*claims.Exp, 1<<53)), true
}
