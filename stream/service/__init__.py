"""The Kafka edge: the only folder that knows Faust, aiokafka and Prometheus."""
