"""A client by aiortc: publishes by WHIP, or plays by WHEP, for so many seconds, and then tells what it has seen as one line of JSON.

    aiortc_client.py publish|play URL CODEC SECONDS
"""

import asyncio
import json
import sys
import time
import urllib.request
from urllib.parse import urljoin

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

mode, url, codec, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
began = time.monotonic()


def request(method, target, body=None):
    headers = {"Content-Type": "application/sdp"} if body else {}
    data = body.encode() if body else None
    return urllib.request.urlopen(urllib.request.Request(target, data, headers, method=method), timeout=20)


async def open_session(pc):
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(request, "POST", url, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer.read().decode(), "answer"))
    return urljoin(url, answer.headers["Location"])


def prefer(transceiver, kind):
    if kind == "video":
        all_codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([one for one in all_codecs if one.name.upper() in (codec, "RTX")])


async def count(track, seen):
    """Takes what comes, and notes how much there is of it."""
    try:
        while True:
            frame = await track.recv()
            seen[track.kind] = seen.get(track.kind, 0) + 1
            seen.setdefault("first_" + track.kind, round(time.monotonic() - began, 3))
            if track.kind == "video":
                seen["size"] = [frame.width, frame.height]
    except MediaStreamError:
        seen["ended"] = True


async def main():
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected = asyncio.Event()
    pc.on("connectionstatechange", lambda: connected.set() if pc.connectionState == "connected" else None)
    seen = {}
    tasks = []
    if mode == "publish":
        prefer(pc.addTransceiver(VideoStreamTrack(), "sendonly"), "video")
        pc.addTransceiver(AudioStreamTrack(), "sendonly")
    else:
        prefer(pc.addTransceiver("video", "recvonly"), "video")
        pc.addTransceiver("audio", "recvonly")
        pc.on("track", lambda track: tasks.append(asyncio.ensure_future(count(track, seen))))
    session = await open_session(pc)
    await asyncio.wait_for(connected.wait(), 20)
    await asyncio.sleep(seconds)
    stats = [one for one in (await pc.getStats()).values() if one.type in ("remote-inbound-rtp", "inbound-rtp")]
    seen["lost"] = sum(one.packetsLost for one in stats)
    status = (await asyncio.to_thread(request, "DELETE", session)).status
    await pc.close()
    print(json.dumps(seen | {"deleted": status}), flush=True)


asyncio.run(asyncio.wait_for(main(), 60 + seconds))
