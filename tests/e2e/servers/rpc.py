"""rpc.py PORT DIRECTORY: a gRPC server by python3-grpcio with grpc.health.v1 and proto.CoreService/Ping; `sick` makes them unwell.
The messages are small enough to be written by hand: HealthCheckRequest{string service = 1}, HealthCheckResponse{enum status = 1}."""
import concurrent.futures
import os
import sys

import grpc

port, directory = int(sys.argv[1]), sys.argv[2]
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def sick():
    return os.path.exists(os.path.join(directory, "sick"))


def check(request, context):
    if request not in (b"", b"\x0a\x04mail"):
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return NOT_SERVING if sick() else SERVING


def ping(request, context):
    if sick():
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    return b""


server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
for service, name, call in (("grpc.health.v1.Health", "Check", check), ("proto.CoreService", "Ping", ping)):
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: grpc.unary_unary_rpc_method_handler(call)}),))
if not server.add_insecure_port("127.0.0.1:%d" % port):
    sys.exit("port %d is taken" % port)
server.start()
server.wait_for_termination()
