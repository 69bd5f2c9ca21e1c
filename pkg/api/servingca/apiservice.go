// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// apiServicesPath is where APIServices are. Their Go types are in a module that
// we would need for nothing else.
const apiServicesPath = "/apis/apiregistration.k8s.io/v1/apiservices"

// apiService is what matters here of an APIService.
type apiService struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Service *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"service"`
		InsecureSkipTLSVerify bool   `json:"insecureSkipTLSVerify"`
		CABundle              []byte `json:"caBundle"`
	} `json:"spec"`
}

// verifies says whether requests through the APIService go to service and verify
// it, so that the bundle is for us to write.
func (a *apiService) verifies(service types.NamespacedName) bool {
	return a.Spec.Service != nil && !a.Spec.InsecureSkipTLSVerify &&
		service == types.NamespacedName{Namespace: a.Spec.Service.Namespace, Name: a.Spec.Service.Name}
}

// trusts says whether the APIService has been given a CA.
func (a *apiService) trusts(ca *authority) bool {
	return bytes.Contains(a.Spec.CABundle, encodeCertificates(ca.cert))
}

// readAPIServices reads those of our APIServices whose bundle is for us to
// write. One that does not exist is none of them. Where it fails for one, it
// returns the others with the error.
func (k *Keeper) readAPIServices(ctx context.Context) ([]*apiService, error) {
	var ours []*apiService
	var errs []error
	for _, name := range k.options.APIServices {
		a := &apiService{}
		raw, err := k.rest.Get().AbsPath(apiServicesPath, name).SetHeader("Accept", "application/json").Do(ctx).Raw()
		if apierrors.IsNotFound(err) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(raw, a)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read APIService %s: %w", name, err))
			continue
		}
		if a.verifies(k.options.Service) {
			ours = append(ours, a)
		}
	}
	return ours, errors.Join(errs...)
}

// publish writes the bundle to an APIService, unless it has changed since it was
// read: then it fails with a conflict, and who wrote it may know better.
func (k *Keeper) publish(ctx context.Context, a *apiService, bundle []byte) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"resourceVersion": a.Metadata.ResourceVersion},
		"spec":     map[string][]byte{"caBundle": bundle}, // base64 in JSON, as the API wants it
	})
	if err == nil {
		err = k.rest.Patch(types.MergePatchType).AbsPath(apiServicesPath, a.Metadata.Name).
			SetHeader("Accept", "application/json").Body(patch).Do(ctx).Error()
	}
	if err != nil {
		return fmt.Errorf("write the CA bundle to APIService %s: %w", a.Metadata.Name, err)
	}
	return nil
}
