package rabbitmqrig

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Load publishes ten events a second through each node and consumes the queue of each, until ctx ends; it connects again
// where a node goes. It returns at once what waits until all of it has ended.
func (c *Cluster) Load(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	for n := 1; n <= Size; n++ {
		wg.Go(func() { c.again(ctx, n, publish) })
		wg.Go(func() {
			c.again(ctx, n, func(ctx context.Context, ch *amqp.Channel) error { return consume(ctx, ch, n) })
		})
	}
	return wg.Wait
}

// again does something over a connection to node n, again and again until ctx ends.
func (c *Cluster) again(ctx context.Context, n int, do func(context.Context, *amqp.Channel) error) {
	for ctx.Err() == nil {
		_ = c.over(ctx, n, do) // that a node is away is what the test is about
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (c *Cluster) over(ctx context.Context, n int, do func(context.Context, *amqp.Channel) error) error {
	conn, err := amqp.DialConfig("amqp://rig:"+adminPW+"@127.0.0.1:5672/", amqp.Config{
		Heartbeat: 5 * time.Second,
		Dial: func(network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			conn, err := c.Dial(n)(ctx, network, addr)
			if err == nil {
				err = conn.SetDeadline(time.Now().Add(10 * time.Second)) // of the handshake
			}
			return conn, err
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	defer context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) })()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return do(ctx, ch)
}

func publish(ctx context.Context, ch *amqp.Channel) error {
	if err := ch.Confirm(false); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := ch.PublishWithContext(ctx, "nav.events", "", false, false, amqp.Publishing{Body: []byte("event")}); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func consume(ctx context.Context, ch *amqp.Channel, n int) error {
	got, err := ch.ConsumeWithContext(ctx, fmt.Sprintf("nav.api.n%d", n), "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	for range got { // until the connection ends
	}
	return ctx.Err()
}

// Flood publishes messages of 32 KB to a quorum queue with a member on every node, through node n, until ctx ends.
func (c *Cluster) Flood(ctx context.Context, n int) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		c.again(ctx, n, func(ctx context.Context, ch *amqp.Channel) error {
			const queue = "rig.flood"
			if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-max-length": 100}); err != nil {
				return err
			}
			body := make([]byte, 32<<10)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				if err := ch.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{Body: body}); err != nil {
					return err
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					_, err := ch.QueueDelete(queue, false, false, false)
					return err
				}
			}
		})
	})
	return wg.Wait
}

// Fill publishes so many messages to a queue of the vhost /, through node n.
func (c *Cluster) Fill(ctx context.Context, n int, queue string, messages int) error {
	return c.over(ctx, n, func(ctx context.Context, ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		for left := messages; ; left-- {
			last, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, amqp.Publishing{Body: []byte("x")})
			if err != nil {
				return err
			}
			if left <= 1 {
				_, err := last.WaitContext(ctx)
				return err
			}
		}
	})
}
