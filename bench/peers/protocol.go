// What the harness asks of a program in Go. README.md says what each mode is.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The arguments.
var (
	socket  = os.Args[1]
	jobs    = number(os.Args[2])
	payload = strings.Repeat("x", max(number(os.Args[3])-2, 0))
	mode    = os.Args[4]
	puts    = mode == "put" || mode == "putter"
)

// What was started so far, and when the first was.
var (
	started atomic.Int64
	first   sync.Once
	begun   float64
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func number(text string) int {
	found, err := strconv.Atoi(text)
	check(err)
	return found
}

func seconds() float64 {
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return float64(now.Nano()) / 1e9
}

func say(seconds float64) { fmt.Printf("%.6f\n", seconds) }

// Calls bulk, which puts all jobs, or one for each line that comes.
func put(bulk, one func()) {
	if mode == "put" {
		begun := seconds()
		bulk()
		say(seconds() - begun)
		return
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		begun := seconds()
		one()
		say(begun)
	}
}

// What every job does; SIGTERM ends the worker as its users would.
func start() {
	now := seconds()
	if mode != "drain" {
		say(now)
		if mode == "hold" {
			time.Sleep(time.Hour)
		}
		return
	}
	first.Do(func() { begun = now })
	if started.Add(1) == int64(jobs) {
		say(now - begun)
		check(syscall.Kill(os.Getpid(), syscall.SIGTERM))
	}
}
