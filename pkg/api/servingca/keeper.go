// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
)

const (
	// resync is how often everything is looked at where no watch says to.
	resync = 10 * time.Minute
	// quiet is the least time between two looks, whatever the watches say.
	quiet = time.Second
	// maxBackoff is the most time between two looks while they fail.
	maxBackoff = time.Minute
	// syncTimeout bounds one look, with all its requests.
	syncTimeout = 30 * time.Second
	// maxConflicts is how often one look begins anew because another replica
	// wrote first.
	maxConflicts = 5
	// readyTimeout bounds the wait for the first certificate. It is shorter than
	// the startup probe of our manifests waits, so that the error is seen.
	readyTimeout = 100 * time.Second
)

// Options are what a Keeper keeps. All fields are required.
type Options struct {
	// Client may get, watch and update Secret, and get, watch and patch
	// APIServices. It is asked for nothing else.
	Client kubernetes.Interface
	// Secret is where the CA is kept. It must exist.
	Secret types.NamespacedName
	// Service is ours: the API server verifies its name, and only APIServices
	// that refer to it are written to.
	Service types.NamespacedName
	// APIServices are the names of those that may be ours.
	APIServices []string
	// Registry takes our self-metrics.
	Registry metrics.KubeRegistry
}

// Keeper keeps a CA, its bundle and our serving certificate: see the package.
type Keeper struct {
	options     Options
	rest        rest.Interface
	metrics     *keeperMetrics
	certificate *Certificate
	names       []string

	changed chan struct{} // Has a token when a watch saw something.
	ready   chan struct{} // Closed when there is a certificate.

	// Of Run alone.
	state   state // As it was last read or written.
	failing bool

	mu struct {
		sync.Mutex
		err error // Why the last look failed; nil: it did not.
	}
}

// New makes a Keeper; it starts nothing.
func New(options Options) (*Keeper, error) {
	m, err := newMetrics(options.Registry)
	if err != nil {
		return nil, err
	}
	service := options.Service
	return &Keeper{
		options:     options,
		rest:        options.Client.CoreV1().RESTClient(),
		metrics:     m,
		certificate: &Certificate{name: "serving CA in Secret " + options.Secret.String()},
		names: []string{
			service.Name + "." + service.Namespace + ".svc", // What the API server verifies.
			service.Name + "." + service.Namespace,
			service.Name,
			"localhost",
		},
		changed: make(chan struct{}, 1),
		ready:   make(chan struct{}),
	}, nil
}

// Certificate is the serving certificate; it is empty until Ready returns nil.
func (k *Keeper) Certificate() *Certificate { return k.certificate }

// Ready waits until there is a certificate to serve with, which needs Run to
// run. It fails after 100 s, with what is amiss, and with ctx.
func (k *Keeper) Ready(ctx context.Context) error {
	timer := time.NewTimer(readyTimeout)
	defer timer.Stop()
	select {
	case <-k.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	k.mu.Lock()
	err := k.mu.err
	k.mu.Unlock()
	if err == nil {
		err = context.DeadlineExceeded
	}
	return fmt.Errorf("wait %v for a serving certificate: %w", readyTimeout, err)
}

// Run keeps what the Keeper is for until ctx ends. It returns nil, when nothing
// of it runs any more; what fails is logged, counted and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	var watches sync.WaitGroup
	watches.Go(func() {
		k.watch(ctx, "/api/v1/namespaces/"+k.options.Secret.Namespace+"/secrets", k.options.Secret.Name)
	})
	for _, name := range k.options.APIServices {
		watches.Go(func() { k.watch(ctx, apiServicesPath, name) })
	}
	backoff := quiet
	for ctx.Err() == nil {
		wake, err := k.look(ctx)
		k.note(ctx, err)
		wait := min(time.Until(wake), resync)
		if err != nil {
			wait, backoff = min(wait, backoff), min(2*backoff, maxBackoff)
		} else {
			backoff = quiet
		}
		pause(ctx, quiet)
		k.await(ctx, wait-quiet)
	}
	watches.Wait()
	return nil
}

// await waits for that long, or until a watch sees something or ctx ends.
func (k *Keeper) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-k.changed:
	case <-timer.C:
	}
}

// note logs that looks begin or cease to fail, and counts those that do.
func (k *Keeper) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	k.mu.err = err
	k.mu.Unlock()
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "secret", k.options.Secret)
	switch {
	case err != nil && !k.failing:
		logger.Error(err, "Keeping the serving CA fails")
	case err == nil && k.failing:
		logger.Info("Keeping the serving CA works again")
	}
	k.failing = err != nil
	if err != nil {
		k.metrics.failures.Inc()
	}
}

// look brings everything up to date once. It returns when to look again at the
// latest, also where it fails.
func (k *Keeper) look(ctx context.Context) (time.Time, error) {
	requests, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	wake, err := k.sync(requests)
	for n := 0; apierrors.IsConflict(err) && n < maxConflicts; n++ {
		wake, err = k.sync(requests)
	}
	// A certificate needs no API server, once the CA is known.
	if k.state.signer == nil {
		return earlier(time.Now().Add(resync), wake), err
	}
	now := time.Now()
	renew, renewed, certErr := k.certificate.ensure(k.state.signer, k.names, now)
	if certErr != nil {
		return earlier(now.Add(resync), wake), errors.Join(err, certErr)
	}
	if renewed {
		current := k.certificate.current.Load()
		k.metrics.certificate.Set(float64(current.cert.NotAfter.Unix()))
		klog.FromContext(ctx).Info("Serving with a new certificate",
			"signer", current.signer.cert.Subject.CommonName, "until", current.cert.NotAfter)
	}
	select {
	case <-k.ready:
	default:
		close(k.ready)
	}
	return earlier(renew, wake), err
}

// sync brings the Secret and the APIServices up to date.
//
// The APIServices are read before the Secret, and written only if they have not
// changed since: so a replica that is late never puts an older bundle in place of
// a newer one, because the newer Secret was written before the newer bundle.
func (k *Keeper) sync(ctx context.Context) (wake time.Time, err error) {
	services, servicesErr := k.readAPIServices(ctx)
	s, wake, err := k.syncSecret(ctx, func(next *authority) bool {
		return servicesErr == nil && !slices.ContainsFunc(services, func(a *apiService) bool { return !a.trusts(next) })
	})
	if err != nil {
		return wake, errors.Join(err, servicesErr)
	}
	bundle := encodeCertificates(s.bundle...)
	errs := []error{servicesErr}
	for _, a := range services {
		if bytes.Equal(a.Spec.CABundle, bundle) {
			continue
		}
		err := k.publish(ctx, a, bundle)
		if apierrors.IsConflict(err) {
			return wake, err
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		klog.FromContext(ctx).Info("Wrote the CA bundle to an APIService", "apiService", a.Metadata.Name, "certificates", len(s.bundle))
		// A CA that has waited for this may sign from now on.
		k.wake()
	}
	return wake, errors.Join(errs...)
}

// syncSecret reads the CA and writes what becomes of it. published says whether
// every APIService has a CA.
func (k *Keeper) syncSecret(ctx context.Context, published func(*authority) bool) (state, time.Time, error) {
	secrets := k.options.Client.CoreV1().Secrets(k.options.Secret.Namespace)
	secret, err := secrets.Get(ctx, k.options.Secret.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		// We may not create it: a right to create cannot be limited to one name.
		return state{}, time.Time{}, fmt.Errorf("the Secret %s for the serving CA has to exist, empty at first: %w", k.options.Secret, err)
	}
	if err != nil {
		return state{}, time.Time{}, fmt.Errorf("read the serving CA from Secret %s: %w", k.options.Secret, err)
	}
	old, err := parseState(secret.Data)
	if err != nil {
		return state{}, time.Time{}, fmt.Errorf("read the serving CA from Secret %s: %w", k.options.Secret, err)
	}
	s, wake, err := advance(old, time.Now(), old.next != nil && published(old.next))
	if err != nil {
		return state{}, time.Time{}, err
	}
	if !s.equal(old) {
		if secret.Data, err = s.render(secret.Data); err != nil {
			return state{}, time.Time{}, err
		}
		// This names the version that was read; if it is another one by now, the
		// API server refuses.
		if _, err := secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
			return state{}, time.Time{}, fmt.Errorf("write the serving CA to Secret %s: %w", k.options.Secret, err)
		}
		logChange(ctx, old, s)
	}
	k.state = s
	k.metrics.authority.Set(float64(s.signer.cert.NotAfter.Unix()))
	return s, wake, nil
}

// logChange says what became of the CA.
func logChange(ctx context.Context, old, s state) {
	logger := klog.FromContext(ctx)
	if !s.signer.equal(old.signer) {
		logger.Info("A new CA signs serving certificates", "signer", s.signer.cert.Subject.CommonName, "until", s.signer.cert.NotAfter)
	}
	if s.next != nil && !s.next.equal(old.next) {
		logger.Info("A new CA joined the bundle", "next", s.next.cert.Subject.CommonName, "signsFrom", signsFrom(s.next))
	}
}

// earlier is the earlier of two moments, of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
