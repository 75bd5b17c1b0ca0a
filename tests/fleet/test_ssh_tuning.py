import socket

from paramiko.transport import Transport

from fleet import ssh_tuning


def test_a_connection_sends_at_once_and_breaks_when_nobody_acknowledges() -> None:
    ssh_tuning.no_delay()
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        transport = Transport(client)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        wait = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert wait == ssh_tuning.LOST * 1000
        assert vars(transport.packetizer)["_Packetizer__keepalive_interval"] == 30
        transport.close()
        client.close()


def test_a_unix_socket_has_no_such_option_and_works_all_the_same() -> None:
    ssh_tuning.no_delay()
    ours, theirs = socket.socketpair()
    Transport(ours).close()
    theirs.close()
