package muster

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// journal is a file of lines. A crash can tear the last line only, and a line without its end is not read.
type journal struct {
	path string
	file *os.File
	// isTorn says whether the last line may lack its end, after a failure such as a full disk.
	isTorn bool
}

// read calls take with each complete line.
func (j *journal) read(take func(line string)) error {
	file, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		take(strings.TrimSuffix(line, "\n"))
	}
}

// append adds a line. With durable it is on the disk after that.
func (j *journal) append(line string, durable bool) error {
	text := line + "\n"
	if j.isTorn {
		text = "\n" + text
	}
	j.isTorn = true
	if _, err := j.file.WriteString(text); err != nil {
		return err
	}
	j.isTorn = false
	if durable {
		return j.file.Sync()
	}
	return nil
}

// replace writes another file and renames it, so that the path is a complete file at any time. In this order: a name must not come to
// stand for a file whose bytes are not on the disk.
func (j *journal) replace(lines []string) error {
	var text bytes.Buffer
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	next := j.path + ".next"
	if err := writeDurable(next, text.Bytes()); err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	if err := os.Rename(next, j.path); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(j.path)); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	j.file, j.isTorn = file, false
	return err
}

func writeDurable(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}

// syncFolder puts the names in a folder on the disk. Windows has no such call, and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
