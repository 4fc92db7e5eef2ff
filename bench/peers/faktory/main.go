// Faktory as ../README.md asks. Its server listens on TCP alone, and starts a Redis of its own unless it is told which one to use:
// here it gets the harness's, by the two functions that its package lets be replaced. Jobs are reserved for a minute at least; one
// that was given up is a failure, which is retried after a quarter of a minute or more.
package main

import (
	"context"
	"log"
	"net"
	"os"

	faktory "github.com/contribsys/faktory/client"
	"github.com/contribsys/faktory/server"
	"github.com/contribsys/faktory/storage"
	"github.com/contribsys/faktory/util"
	worker "github.com/contribsys/faktory_worker_go"
	"github.com/redis/go-redis/v9"
)

const (
	putAtOnce     = 1000 // by client.PushBulk
	performAtOnce = 20   // of the README of faktory_worker_go, "Usage"
	shortest      = 60   // seconds that a job can be reserved for
)

func main() {
	// Where its server listens, which is the one to choose.
	place := socket + ".faktory"
	if mode == "serve" {
		serve(place)
		return
	}
	address, err := os.ReadFile(place)
	check(err)
	check(os.Setenv("FAKTORY_URL", "tcp://"+string(address)))
	if !puts {
		perform()
		return
	}
	client, err := faktory.Open()
	check(err)
	put(func() { putAll(client) }, func() { check(client.Push(job())) })
}

func serve(place string) {
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

func job() *faktory.Job {
	job := faktory.NewJob("noop", payload)
	if mode == "put" && jobs == 1 { // the one whose worker may be killed
		job.ReserveFor = shortest
	}
	return job
}

func putAll(client *faktory.Client) {
	for left := jobs; left > 0; left -= putAtOnce {
		bulk := make([]*faktory.Job, min(left, putAtOnce))
		for at := range bulk {
			bulk[at] = job()
		}
		refused, err := client.PushBulk(bulk)
		check(err)
		if len(refused) > 0 {
			log.Fatal(refused)
		}
	}
}

func perform() {
	manager := worker.NewManager()
	manager.Concurrency = performAtOnce
	manager.Logger = &worker.StdLogger{Logger: log.Default()}
	manager.Register("noop", func(context.Context, ...any) error {
		start()
		return nil
	})
	check(manager.Run())
}
