package main

import (
	_ "k8s.io/apiserver/pkg/server"
	_ "k8s.io/apiserver/pkg/server/options"
	_ "k8s.io/client-go/kubernetes"
	_ "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/dynamic"
	_ "k8s.io/client-go/tools/clientcmd"
	_ "k8s.io/client-go/tools/cache"
	_ "k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/metrics/pkg/apis/metrics/install"
	_ "k8s.io/metrics/pkg/client/clientset/versioned"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/net/http2"
	_ "sigs.k8s.io/yaml"
)

func main() {}
