"""A proxy before an iSCSI target that has little room: of the writes under way beyond so many it says TASK SET FULL, or BUSY.

The target does write what is refused here; that is the initiator's to know nothing of: it sends it again. RFC 7143, chapter 11, has the PDUs.
"""

import socket
import struct
import threading

BUSY, TASK_SET_FULL = 0x08, 0x28
SCSI_COMMAND, LOGIN_RESPONSE, SCSI_RESPONSE = 0x01, 0x23, 0x21


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class IscsiProxy:
    """`room`: how many writes may be under way; `busy`: how many answers are BUSY before that. Connections have header digests and no data digests."""

    def __init__(self, target, room=1 << 30, busy=0):
        self.target, self.room, self.busy = target, room, busy
        self.lock = threading.Lock()
        self.under_way, self.doomed = set(), set()
        self.writes, self.refused, self.most_under_way = 0, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"iscsi://127.0.0.1:{self.listener.getsockname()[1]}/{self.target.name}/1"

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.target.address, self.target.port))
            with self.lock:
                self.under_way.clear()
                self.doomed.clear()
            full_feature = threading.Event()
            for source, sink, rule in ((client, server, self._command), (server, client, self._answer)):
                threading.Thread(target=self._pass, args=(source, sink, rule, full_feature), daemon=True).start()

    def _pass(self, source, sink, rule, full_feature):
        stream = source.makefile("rb")
        try:
            while True:
                header = stream.read(48)
                if len(header) < 48:
                    break
                digest = 4 if full_feature.is_set() else 0
                length = int.from_bytes(header[5:8], "big")
                rest = stream.read(header[4] * 4 + digest + (length + 3) // 4 * 4)
                if header[0] & 0x3F == LOGIN_RESPONSE and header[1] & 0x83 == 0x83 and header[36] == 0:
                    assert b"HeaderDigest=CRC32C" in rest
                    full_feature.set()  # the next PDUs, in both directions, have digests
                changed = rule(header)
                if changed != header:
                    assert header[4] == 0, "an additional header"
                    rest = struct.pack("<I", crc32c(changed)) + rest[4:]
                sink.sendall(changed + rest)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        stream.close()
        source.close()  # each direction its own

    def _command(self, header):
        if header[0] & 0x3F == SCSI_COMMAND and header[1] & 0x20:
            with self.lock:
                tag = header[16:20]
                self.writes += 1
                if self.busy > 0 or len(self.under_way) >= self.room:
                    self.doomed.add(tag)
                else:
                    self.under_way.add(tag)
                self.most_under_way = max(self.most_under_way, len(self.under_way))
        return header

    def _answer(self, header):
        if header[0] & 0x3F != SCSI_RESPONSE:
            return header
        with self.lock:
            tag = header[16:20]
            self.under_way.discard(tag)
            if tag not in self.doomed:
                return header
            self.doomed.remove(tag)
            self.refused += 1
            status = BUSY if self.busy > 0 else TASK_SET_FULL
            self.busy = max(0, self.busy - 1)
            return header[:3] + bytes([status]) + header[4:]
