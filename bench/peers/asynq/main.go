// asynq as ../README.md asks. It has no bulk call: 50 goroutines put at once. 100 jobs run at once, and a worker looks for jobs
// every 10 ms when there were none, by default every second: the documentation of asynq.Config, Concurrency and
// TaskCheckInterval. Leases are of 30 s and cannot be set.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sys/unix"
)

const (
	putAtOnce     = 50
	performAtOnce = 100
)

func seconds() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	return float64(now.Nano()) / 1e9
}

func say(seconds float64) { fmt.Printf("%.6f\n", seconds) }

func main() {
	jobs, _ := strconv.Atoi(os.Args[2])
	size, _ := strconv.Atoi(os.Args[3])
	mode := os.Args[4]
	redis := asynq.RedisClientOpt{Network: "unix", Addr: os.Args[1], PoolSize: performAtOnce}
	payload, _ := json.Marshal(strings.Repeat("x", size-2))
	switch mode {
	case "put", "putter":
		put(asynq.NewClient(redis), asynq.NewTask("noop", payload), jobs, mode)
	default:
		perform(redis, int64(jobs), mode)
	}
}

func put(client *asynq.Client, job *asynq.Task, jobs int, mode string) {
	one := func() {
		if _, err := client.Enqueue(job); err != nil {
			log.Fatal(err)
		}
	}
	if mode == "putter" {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			begun := seconds()
			one()
			say(begun)
		}
		return
	}
	begun := seconds()
	var left atomic.Int64
	left.Store(int64(jobs))
	var all sync.WaitGroup
	for range putAtOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				one()
			}
		})
	}
	all.Wait()
	say(seconds() - begun)
}

func perform(redis asynq.RedisClientOpt, jobs int64, mode string) {
	var started atomic.Int64
	var first sync.Once
	var begun float64
	noop := func(context.Context, *asynq.Task) error {
		now := seconds()
		first.Do(func() { begun = now })
		if mode != "drain" {
			say(now)
		}
		if mode == "hold" {
			time.Sleep(time.Hour)
		}
		if started.Add(1) == jobs && mode == "drain" {
			say(now - begun)
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
		return nil
	}
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency:       performAtOnce,
		TaskCheckInterval: 10 * time.Millisecond,
		LogLevel:          asynq.ErrorLevel,
	})
	if err := server.Run(asynq.HandlerFunc(noop)); err != nil {
		log.Fatal(err)
	}
}
