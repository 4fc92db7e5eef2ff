// Faktory as ../README.md asks. Its server listens on TCP alone, and starts a Redis of its own unless it is told which one to use:
// here it gets the harness's, by the two functions that its package lets be replaced. Jobs are reserved for a minute at least; one
// that was given up is a failure, which is retried after a quarter of a minute or more.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	faktory "github.com/contribsys/faktory/client"
	"github.com/contribsys/faktory/server"
	"github.com/contribsys/faktory/storage"
	"github.com/contribsys/faktory/util"
	worker "github.com/contribsys/faktory_worker_go"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sys/unix"
)

const (
	putAtOnce     = 1000 // by client.PushBulk
	performAtOnce = 20   // of the README of faktory_worker_go, "Usage"
	shortest      = 60   // seconds that a job can be reserved for
)

func seconds() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	return float64(now.Nano()) / 1e9
}

func say(seconds float64) { fmt.Printf("%.6f\n", seconds) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	socket, mode := os.Args[1], os.Args[4]
	jobs, err := strconv.Atoi(os.Args[2])
	check(err)
	size, err := strconv.Atoi(os.Args[3])
	check(err)
	// Where its server listens, which is the one to choose.
	place := socket + ".faktory"
	if mode == "serve" {
		serve(socket, place)
		return
	}
	address, err := os.ReadFile(place)
	check(err)
	check(os.Setenv("FAKTORY_URL", "tcp://"+string(address)))
	switch mode {
	case "put", "putter":
		put(strings.Repeat("x", size-2), jobs, mode)
	default:
		perform(int64(jobs), mode)
	}
}

func serve(socket, place string) {
	storage.Open = func(socket string, connections int) (storage.Store, error) {
		return storage.NewRedisStore(socket, redis.NewClient(&redis.Options{Network: "unix", Addr: socket, PoolSize: connections}))
	}
	util.InitLogger("error")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	address := free.Addr().String()
	check(free.Close())
	itself, err := server.NewServer(&server.ServerOptions{
		Binding:          address,
		StorageDirectory: ".",
		RedisSock:        socket,
		Environment:      "development",
		PoolSize:         server.DefaultMaxPoolSize,
	})
	check(err)
	check(itself.Boot())
	check(os.WriteFile(place, []byte(address), 0o600))
	say(seconds())
	check(itself.Run())
}

func put(payload string, jobs int, mode string) {
	client, err := faktory.Open()
	check(err)
	one := func() *faktory.Job { return faktory.NewJob("noop", payload) }
	if mode == "putter" {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			begun := seconds()
			check(client.Push(one()))
			say(begun)
		}
		return
	}
	begun := seconds()
	for left := jobs; left > 0; left -= putAtOnce {
		bulk := make([]*faktory.Job, min(left, putAtOnce))
		for at := range bulk {
			bulk[at] = one()
			if jobs == 1 { // the one whose worker may be killed
				bulk[at].ReserveFor = shortest
			}
		}
		refused, err := client.PushBulk(bulk)
		check(err)
		if len(refused) > 0 {
			log.Fatal(refused)
		}
	}
	say(seconds() - begun)
}

func perform(jobs int64, mode string) {
	var started atomic.Int64
	var first sync.Once
	var begun float64
	manager := worker.NewManager()
	manager.Concurrency = performAtOnce
	manager.Logger = &worker.StdLogger{Logger: log.Default()}
	manager.Register("noop", func(context.Context, ...any) error {
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
	})
	check(manager.Run())
}
