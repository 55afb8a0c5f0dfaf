package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// inFlight is how many events wait for the broker's confirm at most.
	inFlight = 256
	// maxQueued bounds a node's queue at the broker: a node that hangs must not fill the broker's memory.
	maxQueued = 100000
	// brokerHeartbeat finds a broker that went without a word in two of these.
	brokerHeartbeat = 5 * time.Second
	// brokerSettle is how long what had to wait for the broker goes on waiting once it is back: a fanout exchange
	// drops what no queue is bound for yet, and the other nodes need up to 1.5 times reconnectMost to come back.
	brokerSettle = 5 * time.Second
)

// amqpSession connects once: a durable fanout exchange, and a queue of this node alone that goes with
// its connection. It ends when the connection does, or ctx.
func (l *link) amqpSession(ctx context.Context, up func()) error {
	conn, err := amqp.DialConfig(l.cfg.Broker, amqp.Config{
		Heartbeat:  brokerHeartbeat,
		Dial:       amqp.DefaultDial(brokerHeartbeat),
		Properties: amqp.Table{"connection_name": "navcloud " + l.cfg.Node},
	})
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	ch, in, err := l.declare(conn)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	broken := ch.NotifyClose(make(chan *amqp.Error, 1))
	up()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sender := make(chan error, 1)
	go func() { sender <- l.amqpSend(ctx, ch) }()
	for {
		select {
		case d, ok := <-in:
			if !ok { // the broker cancelled the consumer, or the channel is gone
				_ = conn.CloseDeadline(time.Now().Add(time.Second))
				cancel()
				return errors.Join(errors.New("broker: the consumer ended"), <-sender)
			}
			l.receive(d.Body)
		case err := <-sender:
			return err
		case err := <-broken:
			cancel()
			return errors.Join(fmt.Errorf("broker: %w", err), <-sender)
		}
	}
}

func (l *link) declare(conn *amqp.Connection) (*amqp.Channel, <-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, nil, err
	}
	if err := ch.ExchangeDeclare(l.cfg.Exchange, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return nil, nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": maxQueued})
	if err != nil {
		return nil, nil, err
	}
	if err := ch.QueueBind(q.Name, "", l.cfg.Exchange, false, nil); err != nil {
		return nil, nil, err
	}
	in, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	return ch, in, err
}

// amqpSend publishes what is in the outbox and takes confirms in order.
func (l *link) amqpSend(ctx context.Context, ch *amqp.Channel) error {
	defer l.out.again()
	if l.out.waiting() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(brokerSettle):
		}
	}
	var flying []*amqp.DeferredConfirmation
	for {
		for len(flying) < inFlight {
			line := l.out.take()
			if line == nil {
				break
			}
			c, err := ch.PublishWithDeferredConfirm(l.cfg.Exchange, "", false, false,
				amqp.Publishing{ContentType: "application/json", Body: line})
			if err != nil {
				l.tel.count("broker.errors", 1, "op:publish")
				return fmt.Errorf("broker: publish: %w", err)
			}
			flying = append(flying, c)
		}
		var oldest <-chan struct{}
		if len(flying) > 0 {
			oldest = flying[0].Done()
		}
		more := l.out.more
		if len(flying) == inFlight {
			more = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		case <-oldest:
			if !flying[0].Acked() {
				l.tel.count("broker.errors", 1, "op:publish")
				return errors.New("broker: an event was refused")
			}
			l.out.confirm(1)
			flying = flying[1:]
		}
	}
}
