package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/navcloud/binnacle/collectors"
)

// What the probe leaves with the broker is small and goes by itself.
const (
	tripExpires   = "30000" // ms, of a message
	tripQueueRest = 60_000  // ms without a consumer, of a queue
	tripQueueMax  = 1000    // messages
)

// amqpTrip is a tripLink over AMQP 0-9-1. One goroutine publishes.
type amqpTrip struct {
	conn     *amqp.Connection
	ch       *amqp.Channel
	exchange string
	in       chan []byte
	returned chan amqp.Return
}

// connectTrip connects to the local broker, whose AMQP listener and Dial are the collector's.
func (r *collector) connectTrip(ctx context.Context) (tripLink, error) {
	p := r.opt.Probe
	scheme := "amqp://"
	var trust *tls.Config
	if p.TLS {
		var err error
		if trust, err = collectors.TrustAt(r.opt.AMQP, r.opt.CAFile); err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		scheme = "amqps://"
	}
	conn, err := amqp.DialConfig(scheme+r.opt.AMQP, amqp.Config{
		TLSClientConfig: trust,
		SASL:            []amqp.Authentication{&amqp.PlainAuth{Username: p.User, Password: p.Password.Reveal()}},
		Vhost:           p.VHost, Heartbeat: 5 * time.Second, Properties: amqp.Table{"connection_name": "binnacle probe " + r.env.Node},
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := r.env.Dial(ctx, network, addr)
			if at, ok := ctx.Deadline(); err == nil && ok {
				err = c.SetDeadline(at) // of the handshake; the library takes it off
			}
			return c, err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	t := &amqpTrip{conn: conn, exchange: p.Exchange, in: make(chan []byte), returned: make(chan amqp.Return, 1)}
	stop := context.AfterFunc(ctx, t.close) // the library's calls on a channel have no time limit of their own
	got, err := t.declare()
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		t.close()
		return nil, fmt.Errorf("probe: %w", err)
	}
	go func() { // until the connection ends
		defer close(t.in)
		for d := range got {
			t.in <- d.Body
		}
	}()
	return t, nil
}

func (t *amqpTrip) declare() (<-chan amqp.Delivery, error) {
	var err error
	if t.ch, err = t.conn.Channel(); err != nil {
		return nil, err
	}
	t.ch.NotifyReturn(t.returned)
	if err := t.ch.Confirm(false); err != nil {
		return nil, err
	}
	if err := t.ch.ExchangeDeclare(t.exchange, amqp.ExchangeFanout, false, true, false, false, nil); err != nil {
		return nil, err
	}
	q, err := t.ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-expires": tripQueueRest, "x-max-length": tripQueueMax})
	if err != nil {
		return nil, err
	}
	if err := t.ch.QueueBind(q.Name, "", t.exchange, false, nil); err != nil {
		return nil, err
	}
	return t.ch.Consume(q.Name, "", true, true, false, false, nil)
}

func (t *amqpTrip) received() <-chan []byte { return t.in }

func (t *amqpTrip) close() { _ = t.conn.CloseDeadline(time.Now().Add(time.Second)) }

// publish waits for the confirm. A message that no queue took is returned before its confirm.
func (t *amqpTrip) publish(ctx context.Context, body []byte) (string, error) {
	select {
	case <-t.returned: // late, of the one before
	default:
	}
	c, err := t.ch.PublishWithDeferredConfirm(t.exchange, "", true, false, amqp.Publishing{
		ContentType: "application/json", Expiration: tripExpires, Body: body,
	})
	if err != nil {
		return "", err
	}
	ack, err := c.WaitContext(ctx)
	if err != nil {
		return "", err
	}
	select {
	case _, ok := <-t.returned:
		if ok {
			return tripReturned, nil
		}
		return "", errors.New("the connection ended")
	default:
	}
	if !ack {
		return tripRefused, nil
	}
	return tripConfirmed, nil
}
