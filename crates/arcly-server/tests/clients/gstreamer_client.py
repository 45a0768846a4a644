"""A client by GStreamer's webrtcbin: publishes by WHIP, or plays by WHEP, for so many seconds, and then tells what it has seen as one line of JSON.

    gstreamer_client.py publish|play URL CODEC SECONDS
"""

import json
import sys
import threading
import time
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

Gst.init(None)
mode, url, codec, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])

ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=50 ! rtpvp8pay pt=96",
    "H264": "video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 ! video/x-h264,profile=constrained-baseline ! rtph264pay pt=96 aggregate-mode=zero-latency config-interval=-1",
}
VIDEO = f"application/x-rtp,media=video,encoding-name={codec},payload=96,clock-rate=90000"
if codec == "H264":
    VIDEO += ",packetization-mode=(string)1"
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
PUBLISH = f"""
    webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true ! video/x-raw,width=640,height=360,framerate=25/1 ! videoconvert ! {ENCODERS[codec]} ! {VIDEO} ! queue ! peer.
    audiotestsrc is-live=true volume=0.3 ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=97 ! {AUDIO} ! queue ! peer.
"""

loop = GLib.MainLoop()
seen = {}
began = time.monotonic()
state = {"session": None, "failed": None}


def fail(reason):
    state["failed"] = str(reason)
    loop.quit()


def request(method, target, body=None):
    headers = {"Content-Type": "application/sdp"} if body else {}
    data = body.encode() if body else None
    return urllib.request.urlopen(urllib.request.Request(target, data, headers, method=method), timeout=20)


def exchange(offer):
    """Sends the offer, with its candidates, and takes the answer."""
    try:
        response = request("POST", url, offer)
        state["session"] = urljoin(url, response.headers["Location"])
        _, message = GstSdp.SDPMessage.new_from_text(response.read().decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        peer.emit("set-remote-description", answer, Gst.Promise.new())
    except Exception as error:
        GLib.idle_add(fail, error)


def on_offer(promise, *_):
    promise.wait()
    # What the offer is made of lives no longer than this.
    reply = promise.get_reply()
    offer = reply.get_value("offer")
    peer.emit("set-local-description", offer, Gst.Promise.new())


def on_gathering(element, _):
    if element.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        offer = element.get_property("local-description").sdp.as_text()
        threading.Thread(target=exchange, args=(offer,), daemon=True).start()


def on_negotiation(element):
    for n in range(2):
        transceiver = element.emit("get-transceiver", n)
        if transceiver and mode == "publish":
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            transceiver.set_property("do-nack", True)
    element.emit("create-offer", None, Gst.Promise.new_with_change_func(on_offer))


def on_connection(element, _):
    value = element.get_property("connection-state")
    if value == GstWebRTC.WebRTCPeerConnectionState.CONNECTED and "connected" not in seen:
        seen["connected"] = round(time.monotonic() - began, 3)
        GLib.timeout_add(int(seconds * 1000), loop.quit)
    elif value == GstWebRTC.WebRTCPeerConnectionState.FAILED:
        GLib.idle_add(fail, "the connection failed")


def on_pad(_, pad):
    if pad.direction != Gst.PadDirection.SRC:
        return
    decoder = Gst.ElementFactory.make("decodebin")
    decoder.connect("pad-added", on_decoded)
    pipeline.add(decoder)
    decoder.sync_state_with_parent()
    pad.link(decoder.get_static_pad("sink"))


def on_decoded(_, pad):
    kind = pad.get_current_caps().get_structure(0).get_name().split("/")[0]
    sink = Gst.ElementFactory.make("fakesink")
    sink.set_property("sync", False)
    sink.set_property("async", False)
    sink.set_property("signal-handoffs", True)

    def count(*_):
        seen[kind] = seen.get(kind, 0) + 1
        seen.setdefault("first_" + kind, round(time.monotonic() - began, 3))

    sink.connect("handoff", count)
    pipeline.add(sink)
    sink.sync_state_with_parent()
    pad.link(sink.get_static_pad("sink"))


def on_message(_, message):
    if message.type == Gst.MessageType.ERROR:
        fail(message.parse_error())


if mode == "publish":
    pipeline = Gst.parse_launch(PUBLISH)
    peer = pipeline.get_by_name("peer")
else:
    pipeline = Gst.Pipeline.new()
    peer = Gst.ElementFactory.make("webrtcbin", "peer")
    peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(peer)
    for caps in (VIDEO, AUDIO):
        peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
    for n in range(2):
        peer.emit("get-transceiver", n).set_property("do-nack", True)
    peer.connect("pad-added", on_pad)
peer.connect("on-negotiation-needed", on_negotiation)
peer.connect("notify::ice-gathering-state", on_gathering)
peer.connect("notify::connection-state", on_connection)
bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)
pipeline.set_state(Gst.State.PLAYING)
GLib.timeout_add(int((40 + seconds) * 1000), fail, "it takes too long")
loop.run()
if state["session"]:
    seen["deleted"] = request("DELETE", state["session"]).status
pipeline.set_state(Gst.State.NULL)
if state["failed"]:
    sys.exit(state["failed"])
print(json.dumps(seen), flush=True)
