// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sigv4

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Credentials are who signs.
type Credentials struct {
	AccessKey, SecretKey, SessionToken string
	// End is until when they are good; zero is for ever.
	End time.Time
}

// A source fetches credentials.
type source func(ctx context.Context) (Credentials, error)

// maxAnswer is how much of an answer with credentials is read, in bytes.
const maxAnswer = 1 << 20

// ecsAgent is where the agent of a container's host is, by which relative addresses
// are completed.
const ecsAgent = "http://169.254.170.2"

// source is where credentials come from: what is set here, and then, as AWS's own
// libraries look for it, what is in the environment.
func (o Options) source() (source, error) {
	if o.Region == "" {
		return nil, errors.New("sigv4 needs a region, in its block or in AWS_REGION")
	}
	var get source
	agent := o.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := o.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		agent = ecsAgent + relative
	}
	token, role := o.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), o.Getenv("AWS_ROLE_ARN")
	switch {
	case o.AccessKey != "" && o.SecretKey != "":
		get = fixed(Credentials{AccessKey: o.AccessKey, SecretKey: o.SecretKey})
	case o.AccessKey != "" || o.SecretKey != "":
		return nil, errors.New("sigv4 needs both access_key and secret_key, or neither")
	case o.Getenv("AWS_ACCESS_KEY_ID") != "" && o.Getenv("AWS_SECRET_ACCESS_KEY") != "":
		get = fixed(Credentials{AccessKey: o.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: o.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: o.Getenv("AWS_SESSION_TOKEN")})
	case token != "" && role != "":
		get = o.webIdentity(token, role)
	case agent != "":
		get = o.container(agent)
	default:
		return nil, errors.New("sigv4 has no credentials: set access_key and secret_key, or give the pod a role by IRSA or EKS Pod Identity")
	}
	if o.RoleARN != "" {
		get = o.assumed(get)
	}
	return get, nil
}

func fixed(c Credentials) source {
	return func(context.Context) (Credentials, error) { return c, nil }
}

// container asks the agent of EKS Pod Identity, or of ECS.
func (o Options) container(address string) source {
	return func(ctx context.Context) (Credentials, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return Credentials{}, err
		}
		token := o.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := o.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return Credentials{}, err
			}
			token = strings.TrimSpace(string(text))
		}
		if token != "" {
			request.Header.Set("Authorization", token)
		}
		body, err := o.ask(request)
		if err != nil {
			return Credentials{}, err
		}
		var answer struct {
			AccessKeyID     string `json:"AccessKeyId"`
			SecretAccessKey string
			Token           string
			Expiration      time.Time
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return Credentials{}, fmt.Errorf("read credentials of %s: %w", request.URL.Host, err)
		}
		return checked(Credentials{answer.AccessKeyID, answer.SecretAccessKey, answer.Token, answer.Expiration})
	}
}

// webIdentity exchanges the token of a service account for credentials of a role.
func (o Options) webIdentity(file, role string) source {
	return func(ctx context.Context) (Credentials, error) {
		token, err := os.ReadFile(file)
		if err != nil {
			return Credentials{}, err
		}
		return o.exchange(ctx, url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "RoleArn": {role}, "RoleSessionName": {o.SessionName},
			"WebIdentityToken": {strings.TrimSpace(string(token))},
		}, nil)
	}
}

// assumed exchanges credentials for those of a role.
func (o Options) assumed(by source) source {
	return func(ctx context.Context) (Credentials, error) {
		owner, err := by(ctx)
		if err != nil {
			return Credentials{}, err
		}
		form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {o.RoleARN}, "RoleSessionName": {o.SessionName}}
		if o.ExternalID != "" {
			form.Set("ExternalId", o.ExternalID)
		}
		return o.exchange(ctx, form, &owner)
	}
}

// exchange asks the Security Token Service of the region, signing where there is an
// owner to sign.
func (o Options) exchange(ctx context.Context, form url.Values, owner *Credentials) (Credentials, error) {
	suffix := "amazonaws.com"
	if strings.HasPrefix(o.Region, "cn-") {
		suffix = "amazonaws.com.cn"
	}
	address := cmp.Or(o.Getenv("AWS_ENDPOINT_URL_STS"), "https://sts."+o.Region+"."+suffix) + "/"
	form.Set("Version", "2011-06-15")
	text := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(text))
	if err != nil {
		return Credentials{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if owner != nil {
		sign(request, []byte(text), *owner, scope{o.Region, "sts"}, time.Now())
	}
	body, err := o.ask(request)
	if err != nil {
		return Credentials{}, err
	}
	type result struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		}
	}
	var answer struct {
		Role     result `xml:"AssumeRoleResult"`
		Identity result `xml:"AssumeRoleWithWebIdentityResult"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return Credentials{}, fmt.Errorf("read credentials of %s: %w", request.URL.Host, err)
	}
	got := answer.Role.Credentials
	if got.AccessKeyID == "" {
		got = answer.Identity.Credentials
	}
	return checked(Credentials{got.AccessKeyID, got.SecretAccessKey, got.SessionToken, got.Expiration})
}

// ask is the body of a good answer.
func (o Options) ask(request *http.Request) ([]byte, error) {
	response, err := o.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("ask %s for credentials: %s: %.300s", request.URL.Host, response.Status, body)
	}
	return body, err
}

func checked(c Credentials) (Credentials, error) {
	if c.AccessKey == "" || c.SecretKey == "" {
		return Credentials{}, errors.New("an answer has no credentials")
	}
	return c, nil
}
