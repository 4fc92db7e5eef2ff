// asynq as ../README.md asks. It has no bulk call: 50 goroutines put at once. 100 jobs run at once, and a worker looks for jobs
// every 10 ms when there were none, by default every second: the documentation of asynq.Config, Concurrency and
// TaskCheckInterval. Leases are of 30 s and cannot be set.
package main

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

const (
	putAtOnce     = 50
	performAtOnce = 100
)

func main() {
	redis := asynq.RedisClientOpt{Network: "unix", Addr: socket, PoolSize: performAtOnce}
	if !puts {
		perform(redis)
		return
	}
	data, err := json.Marshal(payload)
	check(err)
	client, job := asynq.NewClient(redis), asynq.NewTask("noop", data)
	one := func() {
		_, err := client.Enqueue(job)
		check(err)
	}
	put(func() { putAll(one) }, one)
}

func putAll(one func()) {
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
}

func perform(redis asynq.RedisClientOpt) {
	noop := func(context.Context, *asynq.Task) error {
		start()
		return nil
	}
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency:       performAtOnce,
		TaskCheckInterval: 10 * time.Millisecond,
		LogLevel:          asynq.ErrorLevel,
	})
	check(server.Run(asynq.HandlerFunc(noop)))
}
