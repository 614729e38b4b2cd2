package muster

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// expect compares what a terminal said with what it should say.
func expect(t *testing.T, got, want frame) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func ack(id string) frame { return frame{"type": "ack", "id": id} }

func echo(_ context.Context, command *Command) (any, error) { return command.Payload, nil }

func TestACommandIsRunAcknowledgedAndAnswered(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{Labels: map[string]string{"site": "bj"}, Token: FixedToken("x.y.z"), Run: echo})
	expect(t, node.welcome(nil), frame{"type": "hello", "sdk": sdk, "labels": map[string]any{"site": "bj"}})
	if got := node.request.Header.Get("Authorization"); got != "Bearer x.y.z" || node.request.URL.String() != "/ws?terminal_id=t1" {
		t.Error(got, node.request.URL)
	}
	node.command(frame{"payload": map[string]any{"n": "<1>"}})
	expect(t, node.hear(), ack(oneID))
	expect(t, node.hear(), frame{"type": "result", "id": oneID, "ok": true, "payload": map[string]any{"n": "<1>"}})
	if welcome := reported[Opened](t, terminal).Welcome; welcome.Ping != 25*time.Second || welcome.Cursor != "c0" {
		t.Error(welcome)
	}
}

func TestEachWayToEndACommandHasItsResult(t *testing.T) {
	ends := []func(*Command) (any, error){
		func(*Command) (any, error) { return nil, &FailedError{"no paper"} },
		func(*Command) (any, error) { return nil, &RejectedError{} },
		func(*Command) (any, error) { return nil, errors.New("bug") },
		func(*Command) (any, error) { return make(chan int), nil },
		func(*Command) (any, error) { return []byte{0, 255}, nil },
		func(c *Command) (any, error) {
			return nil, errors.Join(c.Progress(50), c.Succeed("late"), c.Fail(nil), c.Progress(60), ErrLater)
		},
	}
	node := newFakeNode(t)
	start(t, node, Config{Run: func(_ context.Context, command *Command) (any, error) {
		var index int
		_ = command.Payload.Decode(&index)
		return ends[index](command)
	}})
	node.welcome(nil)
	for index, want := range []frame{
		{"ok": false, "payload": "no paper"},
		{"ok": false, "reason": "rejected", "payload": nil},
		{"ok": false, "payload": map[string]any{"error": "bug"}},
		{"ok": false, "payload": map[string]any{"error": "json: unsupported type: chan int"}},
		{"ok": true, "payload_base64": "AP8="},
		{"ok": true, "payload": "late"},
	} {
		id := strings.Replace(oneID, "0", string(rune('0'+index)), 1)
		node.command(frame{"id": id, "payload": index})
		expect(t, node.hear(), ack(id))
		if index == 5 {
			expect(t, node.hear(), frame{"type": "progress", "id": id, "payload": 50.0})
		}
		expect(t, node.hear(), with(want, frame{"type": "result", "id": id}))
	}
}

func TestCommandsRunOneAfterTheOther(t *testing.T) {
	finish := make(chan any)
	node := newFakeNode(t)
	start(t, node, Config{Run: func(context.Context, *Command) (any, error) { return <-finish, nil }})
	node.welcome(nil)
	node.command(nil)
	node.command(frame{"id": otherID})
	expect(t, node.hear(), ack(oneID))
	finish <- "first"
	expect(t, node.hear(), frame{"type": "result", "id": oneID, "ok": true, "payload": "first"})
	expect(t, node.hear(), ack(otherID))
	finish <- "second"
	expect(t, node.hear(), frame{"type": "result", "id": otherID, "ok": true, "payload": "second"})
}

func TestACommandIsAcknowledgedWhenTheProgramHasItAndNotBefore(t *testing.T) {
	node := newFakeNode(t)
	beforeIt := make(chan int, 1)
	start(t, node, Config{Run: func(_ context.Context, command *Command) (any, error) {
		time.Sleep(handedOver / 10)
		beforeIt <- len(node.heard)
		return nil, errors.Join(command.Succeed("done"), ErrLater)
	}})
	node.welcome(nil)
	node.command(nil)
	if <-beforeIt != 0 {
		t.Error("the command was acknowledged while its function had just begun")
	}
	expect(t, node.hear(), ack(oneID))
	expect(t, node.hear(), frame{"type": "result", "id": oneID, "ok": true, "payload": "done"})
}

func TestACommandThatComesAgainIsAnsweredAgainAndNotRunAgainAlsoAfterARestart(t *testing.T) {
	runs := 0
	config := Config{
		Memory: filepath.Join(t.TempDir(), "memory"),
		Run:    func(context.Context, *Command) (any, error) { runs++; return runs, nil },
	}
	node := newFakeNode(t)
	result := frame{"type": "result", "id": oneID, "ok": true, "payload": 1.0}
	terminal := start(t, node, config)
	node.welcome(nil)
	for range 2 {
		node.command(frame{"cursor": "c1"})
		expect(t, node.hear(), ack(oneID))
		expect(t, node.hear(), result)
	}
	terminal.stop()
	again := start(t, node, config)
	if hello := node.welcome(frame{"resumed": true}); hello["resume"] != "c1" {
		t.Error(hello)
	}
	expect(t, node.hear(), result)
	node.command(frame{"cursor": "c1"})
	expect(t, node.hear(), ack(oneID))
	expect(t, node.hear(), result)
	if reported[Repeated](t, again).ID != oneID || runs != 1 {
		t.Error(runs)
	}
}

func TestTheCursorPassesACommandOnlyWhenTheProgramHasIt(t *testing.T) {
	node := newFakeNode(t)
	start(t, node, Config{Run: func(ctx context.Context, _ *Command) (any, error) { <-ctx.Done(); return nil, ErrLater }})
	node.welcome(nil)
	node.command(frame{"cursor": "c1"})
	node.command(frame{"id": otherID, "cursor": "c2"})
	expect(t, node.hear(), ack(oneID))
	node.drop()
	if hello := node.welcome(frame{"resumed": true}); hello["resume"] != "c1" {
		t.Error(hello)
	}
}

func TestACommandIsNotRunAfterItsTimeByTheNodesClock(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{Run: func(context.Context, *Command) (any, error) { t.Error("it ran"); return nil, nil }})
	node.welcome(frame{"time": "2000-01-01T00:00:00Z"})
	node.command(frame{"expires_at": "2000-01-01T00:00:00Z"})
	expect(t, node.hear(), frame{"type": "result", "id": oneID, "ok": false, "reason": "expired", "payload": nil})
	reported[Expired](t, terminal)
}

func TestAStaggeredCommandWaitsApartFromTheOthersAndIsAcknowledgedThen(t *testing.T) {
	node := newFakeNode(t)
	start(t, node, Config{})
	node.welcome(nil)
	// The share is random, and all but never so short.
	node.command(frame{"stagger_ms": 3_600_000})
	node.command(frame{"id": otherID, "stagger_ms": 1})
	expect(t, node.hear(), ack(otherID))
	expect(t, node.hear(), frame{"type": "result", "id": otherID, "ok": true, "payload": nil})
	if len(node.heard) > 0 {
		t.Error(node.hear())
	}
}

func TestAResultOverTheLimitIsReplacedAndAnEventOverItRefused(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{Run: func(context.Context, *Command) (any, error) { return strings.Repeat("x", 300), nil }})
	node.welcome(frame{"max_message": 300})
	node.command(nil)
	expect(t, node.hear(), ack(oneID))
	bytes := float64(300 + len(`{"type":"result","id":"`+oneID+`","ok":true,"payload":""}`))
	expect(t, node.hear(), frame{"type": "result", "id": oneID, "ok": false, "payload": map[string]any{"error": "too_large", "bytes": bytes, "limit": 300.0}})
	if err := reported[NotSent](t, terminal).Err; err.Limit != 300 || err.Bytes != int(bytes) {
		t.Error(err)
	}
	var large *TooLargeError
	if err := terminal.Event("e", strings.Repeat("é", 5000), ""); !errors.As(err, &large) || large.Limit != 8192 {
		t.Error(err)
	}
}

func TestEventsAndTheLastHealthWaitForAConnection(t *testing.T) {
	node := newFakeNode(t)
	hold := make(chan struct{})
	node.refuse = func() int { <-hold; return 0 }
	terminal := start(t, node, Config{})
	err := errors.Join(terminal.Health(OK, nil), terminal.Event("door", map[string]bool{"open": true}, "e1"), terminal.Health(Failing, map[string]float64{"t": 90}))
	for range waitingMax - 2 {
		err = errors.Join(err, terminal.Event("more", nil, ""))
	}
	if err != nil || terminal.Event("more", nil, "") == nil {
		t.Error("256 messages wait, and no more", err)
	}
	close(hold)
	node.welcome(nil)
	expect(t, node.hear(), frame{"type": "event", "id": "e1", "name": "door", "payload": map[string]any{"open": true}})
	expect(t, node.hear(), frame{"type": "health", "condition": "failing", "metrics": map[string]any{"t": 90.0}})
	node.say(ack("e1"))
	if stored := reported[EventStored](t, terminal); stored.ID != "e1" {
		t.Error(stored)
	}
}

func TestGapsAndErrorsAreToldAndUnknownFramesIgnored(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{})
	node.welcome(nil)
	node.say(frame{"type": "dance"})
	node.say(frame{"type": "gap", "from": "c0", "to": "c9", "reason": "gone"})
	node.say(frame{"type": "error", "code": "bad_frame", "message": "m"})
	if gap := reported[Gap](t, terminal); gap != (Gap{"c0", "c9", "gone"}) {
		t.Error(gap)
	}
	reported[NodeError](t, terminal)
	node.drop()
	if hello := node.welcome(nil); hello["resume"] != "c9" {
		t.Error(hello)
	}
}

func TestACloseThatSaysSoIsFinalAndAnyOtherIsNot(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{})
	for _, code := range []int{1012, 1000, 4001} {
		node.welcome(nil)
		node.close(code, `{"retry_ms":5}`)
		if end := reported[Offline](t, terminal).End; end.Code != code || !end.WasOpen || end.Hint != 5*time.Millisecond {
			t.Error(end)
		}
	}
	node.welcome(nil)
	node.say(frame{"type": "goodbye", "reason": "replaced", "retry_ms": 7})
	node.close(4509, "replaced")
	if end := reported[Gone](t, terminal).End; end.Code != 4509 || end.Reason != "replaced" || end.Hint != 7*time.Millisecond {
		t.Error(end)
	}
	var end *End
	if err := <-terminal.ended; !errors.As(err, &end) || end.Code != 4509 {
		t.Error(err)
	} else {
		terminal.ended <- err
	}
}

func TestARefusalTellsItsStatusAnd401IsSlowWithoutAnotherToken(t *testing.T) {
	node := newFakeNode(t)
	statuses := []int{429, 401, 401}
	node.refuse = func() int {
		if len(statuses) == 0 {
			return 0
		}
		status := statuses[0]
		statuses = statuses[1:]
		return status
	}
	asked := 0
	source := TokenFunc(func(context.Context) (string, error) {
		if asked++; asked < 3 {
			return "same", nil
		}
		return "new", nil
	})
	terminal := start(t, node, Config{Token: source, Policy: Policy{First: time.Millisecond, Cap: 40 * time.Millisecond, Slow: 200 * time.Millisecond}})
	for _, want := range []struct {
		status int
		isSlow bool
	}{{429, false}, {401, true}, {401, true}} {
		offline := reported[Offline](t, terminal)
		if offline.End.Status != want.status || (offline.RetryIn >= 100*time.Millisecond) != want.isSlow {
			t.Error(offline)
		}
	}
	node.welcome(nil)
	if got := node.request.Header.Get("Authorization"); got != "Bearer new" {
		t.Error(got)
	}
}

func TestTheNextURLIsTriedAfterAFailure(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{URLs: []string{"ws://127.0.0.1:1/ws", node.url()}})
	node.welcome(nil)
	if end := reported[Offline](t, terminal).End; end.Kind != Lost || end.WasOpen {
		t.Error(end)
	}
}

func TestANodeThatSaysNothingForThreePingsIsLeft(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{})
	node.welcome(frame{"ping_ms": 10})
	if end := reported[Offline](t, terminal).End; end.Kind != Silent || !end.WasOpen {
		t.Error(end)
	}
	node.welcome(nil)
}

func TestAnAttemptWithoutAWelcomeEndsAtTheDeadline(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{Deadline: 30 * time.Millisecond})
	if end := reported[Offline](t, terminal).End; end.Kind != NoWelcome {
		t.Error(end)
	}
}

func TestANewerTokenExtendsTheSession(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	tokens := []string{tokenUntil(now), tokenUntil(now + 3600)}
	source := TokenFunc(func(context.Context) (string, error) {
		token := tokens[0]
		tokens = tokens[1:]
		return token, nil
	})
	node := newFakeNode(t)
	start(t, node, Config{Token: source})
	node.welcome(nil)
	expect(t, node.hear(), frame{"type": "token", "token": tokenUntil(now + 3600)})
}

func TestATerminalThatLeavesSendsWhatWaitsAndClosesWith1000(t *testing.T) {
	node := newFakeNode(t)
	terminal := start(t, node, Config{})
	node.welcome(nil)
	reported[Opened](t, terminal)
	if err := terminal.Event("bye", nil, ""); err != nil {
		t.Error(err)
	}
	terminal.stop()
	expect(t, node.hear(), frame{"type": "event", "name": "bye", "payload": nil})
	if end := reported[Gone](t, terminal).End; end.Kind != Left {
		t.Error(end)
	}
}

func TestAHelloOverTheLimitIsRefusedAtTheStart(t *testing.T) {
	var large *TooLargeError
	_, err := New(Config{URLs: []string{"ws://127.0.0.1:1"}, ID: "t1", Run: echo, Will: strings.Repeat("x", 70_000)})
	if !errors.As(err, &large) {
		t.Error(err)
	}
}
