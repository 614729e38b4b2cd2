package muster

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tokenUntil makes a token that expires at this second.
func tokenUntil(exp int64) string {
	claims := fmt.Sprintf(`{"sub":"é","exp":%d}`, exp)
	return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"
}

func TestATokenSaysWhenItExpiresOrNothing(t *testing.T) {
	if last, says := expiryOf(tokenUntil(1700000000)); !says || last != 1700000000 {
		t.Error(last, says)
	}
	for _, token := range []string{"", "a.b", "a.!.c", "a.e30.c"} {
		if _, says := expiryOf(token); says {
			t.Error(token)
		}
	}
}

func TestTheSourceIsAskedInTheLastFifthOfATokensLife(t *testing.T) {
	for left, want := range map[time.Duration][2]time.Duration{
		time.Hour:        {48 * time.Minute, 54 * time.Minute},
		30 * time.Second: {20 * time.Second, 25 * time.Second},
		4 * time.Second:  {2 * time.Second, 3 * time.Second},
		-time.Second:     {0, 0},
	} {
		if got := [2]time.Duration{askAfter(left, 0), askAfter(left, 1)}; got != want {
			t.Error(left, got)
		}
	}
}

func TestASourceThatFailsOrHangsLeavesTheTokenAndItsErrorHoldsNone(t *testing.T) {
	answers := make(chan func() (string, error), 4)
	for _, answer := range []func() (string, error){
		func() (string, error) { return " first\n", nil },
		func() (string, error) { return "", errors.New("no network") },
		func() (string, error) { select {} },
		func() (string, error) { return "two words", nil },
	} {
		answers <- answer
	}
	source := TokenFunc(func(context.Context) (string, error) { return (<-answers)() })
	tokens, _ := newRenewal(source, 10*time.Millisecond)
	if err := tokens.beforeAttempt(context.Background(), time.Now()); err != nil || tokens.current != "first" {
		t.Fatal(err)
	}
	for _, want := range []string{"no network", "deadline", "one word"} {
		if _, err := tokens.replace(context.Background()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "two words") {
			t.Error(want, err)
		}
	}
	if tokens.current != "first" {
		t.Error(tokens.current)
	}
	if text := fmt.Sprintf("%v %+v %#v", FixedToken("secret"), FixedToken("secret"), Config{Token: FixedToken("secret")}); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestAFileIsReadBeforeEachAttemptAndAFunctionWhenItIsNeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	file, _ := newRenewal(TokenFile(path), time.Second)
	if err := file.beforeAttempt(context.Background(), time.Now()); err == nil {
		t.Error("a file that is missing was not told")
	}
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := file.beforeAttempt(context.Background(), time.Now()); err != nil || file.current != token {
			t.Error(file.current, err)
		}
	}
	asked := 0
	function, _ := newRenewal(TokenFunc(func(context.Context) (string, error) {
		asked++
		return tokenUntil(100), nil
	}), time.Second)
	for _, now := range []int64{0, 0, 200} {
		_ = function.beforeAttempt(context.Background(), time.Unix(now, 0))
	}
	if asked != 2 {
		t.Error(asked)
	}
}

func TestATokenThatANodeRefusedGivesWayToTheOneBefore(t *testing.T) {
	tokens, err := newRenewal(FixedToken(tokenUntil(100)), time.Second)
	if err != nil || tokens.canChange() {
		t.Fatal(err)
	}
	if tokens.extend(tokenUntil(100)) || !tokens.extend(tokenUntil(200)) {
		t.Error("only a token that expires later extends a session")
	}
	if tokens.later(); tokens.current != tokenUntil(100) {
		t.Error(tokens.current)
	}
}
