// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports are chosen below the range that systems take the ports of outgoing
// connections from (32768 and up on Linux, 49152 elsewhere). Otherwise a
// connection could take the port of a component while it is being restarted.
const (
	firstPort = 20000
	lastPort  = 29999
	portTries = 200
)

// ports chooses free ports and keeps them taken until they are released, so
// that clusters that start at the same time choose different ones.
type ports struct {
	address string
	held    []net.Listener
	chosen  map[int]bool
}

func newPorts(address string) *ports {
	return &ports{address: address, chosen: map[int]bool{}}
}

// take returns a free port.
func (p *ports) take() (int, error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		err := p.takeThis(port)
		if err == nil {
			return port, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("choose a port: none of %d tried between %d and %d is free on %s", portTries, firstPort, lastPort, p.address)
}

// takeThis takes the given port, or says who needs it where it is not free.
func (p *ports) takeThis(port int) error {
	if p.chosen[port] {
		return syscall.EADDRINUSE
	}
	l, err := net.Listen("tcp", net.JoinHostPort(p.address, strconv.Itoa(port)))
	switch {
	case err == nil:
		p.held = append(p.held, l)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		// The address is in another network namespace, where the ports are
		// ours alone.
	default:
		return fmt.Errorf("take port %d: %w", port, err)
	}
	p.chosen[port] = true
	return nil
}

// release frees the ports for the components that they were chosen for.
func (p *ports) release() {
	for _, l := range p.held {
		l.Close()
	}
	p.held = nil
}

// FreePort returns a port that is free on the address now, from a range that
// outgoing connections do not use.
func FreePort(address string) (int, error) {
	p := newPorts(address)
	defer p.release()
	return p.take()
}
