package muster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func commandID(number int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", number) }

// reopen reads the memory as a program that was started again.
func reopen(t *testing.T, path string, limit int) *memory {
	t.Helper()
	memory, err := openMemory(path, limit, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return memory
}

func TestIdsCursorAndResultsAreThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	memory := reopen(t, path, 10)
	memory.add(commandID(1))
	memory.setCursor("c1")
	memory.setResult(commandID(1), `{"ok":true}`)
	again := reopen(t, path, 10)
	if !again.has(commandID(1)) || again.has(commandID(2)) || again.lastCursor() != "c1" || again.result(commandID(1)) != `{"ok":true}` {
		t.Errorf("%+v", again)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestALineThatACrashToreIsNotReadAndDoesNotHarmTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	reopen(t, path, 10).add(commandID(1))
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(file, "command %s", commandID(2))
	file.Close()
	if reopen(t, path, 10).has(commandID(2)) {
		t.Error("half a line was read")
	}
	reopen(t, path, 10).add(commandID(3))
	if again := reopen(t, path, 10); !again.has(commandID(1)) || !again.has(commandID(3)) {
		t.Errorf("%+v", again)
	}
}

func TestTheOldestIdsAreForgottenAndTheFileStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory")
	memory := reopen(t, path, 3)
	for number := range 100 {
		memory.add(commandID(number))
	}
	text, err := os.ReadFile(path)
	if lines := bytes.Count(text, []byte("\n")); err != nil || lines > slack*(3+1) {
		t.Error(lines, err)
	}
	if again := reopen(t, path, 3); again.has(commandID(96)) || !again.has(commandID(97)) {
		t.Errorf("%+v", again.order)
	}
}

func TestOldAndLargeResultsMakeRoomForOthers(t *testing.T) {
	memory := reopen(t, "", 10)
	for number := range 2 * resultsMax {
		memory.setResult(commandID(number), "{}")
	}
	if len(memory.lastResults()) != resultsMax || memory.result(commandID(resultsMax)) == "" {
		t.Error(len(memory.lastResults()))
	}
	for number := range 3 {
		memory.setResult(commandID(number), strings.Repeat("x", 400_000))
	}
	if len(memory.lastResults()) != 2 || memory.result(commandID(0)) != "" {
		t.Error(len(memory.lastResults()))
	}
}

func TestAMemoryThatCantBeWrittenIsToldAndTheTerminalGoesOn(t *testing.T) {
	var told []error
	memory := reopen(t, filepath.Join(t.TempDir(), "memory"), 10)
	memory.failed = func(err error) { told = append(told, err) }
	memory.journal.file.Close()
	memory.add(commandID(1))
	if !memory.has(commandID(1)) || len(told) != 1 {
		t.Error(told)
	}
	if _, err := openMemory(filepath.Join(t.TempDir(), "missing/memory"), 10, nil); err == nil {
		t.Error("a folder that is missing was not told")
	}
}

func TestTheCursorMovesPastACommandOnlyWhenTheProgramHasItAndAllBeforeIt(t *testing.T) {
	var moved []string
	trail := cursorTrail{moved: func(cursor string) { moved = append(moved, cursor) }}
	first, second := trail.add("c1"), trail.add("")
	trail.done(trail.add("c3"))
	trail.pass("c4")
	if len(moved) > 0 {
		t.Error(moved)
	}
	trail.done(first)
	trail.done(second)
	if !slices.Equal(moved, []string{"c1", "c4"}) {
		t.Error(moved)
	}
}
