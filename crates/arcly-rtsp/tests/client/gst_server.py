"""gst-rtsp-server on a free port of loopback, which it prints; serves until its standard input ends."""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

Gst.init(None)

PICTURES = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=25/1"
SOUND = "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2"
H264 = "x264enc key-int-max=25 bframes=2 b-adapt=false speed-preset=ultrafast ! video/x-h264,profile=main"
AAC = "audioconvert ! avenc_aac ! rtpmp4gpay name=pay1 pt=97"

STREAMS = {
    "/h264": f"{PICTURES} ! {H264} ! rtph264pay name=pay0 pt=96 {SOUND} ! {AAC}",
    "/h265": f"{PICTURES} ! x265enc key-int-max=25 speed-preset=ultrafast tune=zerolatency ! rtph265pay name=pay0 pt=96 "
    f"{SOUND} ! opusenc ! rtpopuspay name=pay1 pt=97",
    # Numbers and timestamps start over after a few seconds.
    "/wrap": f"{PICTURES} ! {H264} ! rtph264pay name=pay0 pt=96 seqnum-offset=65500 timestamp-offset=4294787296 "
    f"{SOUND} ! {AAC} seqnum-offset=65500 timestamp-offset=4294871296",
    # No keyframe but the first one and those that are asked for.
    "/still": f"{PICTURES} ! {H264.replace('key-int-max=25', 'key-int-max=10000')} ! rtph264pay pt=96 ! application/x-rtp,rtcp-fb-nack-pli=true ! identity name=pay0",
    # Five seconds, then it says goodbye.
    "/finite": f"videotestsrc is-live=true num-buffers=125 ! video/x-raw,width=320,height=180,framerate=25/1 ! {H264} ! rtph264pay name=pay0 pt=96",
    "/vp8": f"{PICTURES} ! vp8enc deadline=1 keyframe-max-dist=25 ! rtpvp8pay name=pay0 pt=96 {SOUND} ! audioconvert ! audioresample ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1",
}


def main():
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    mounts = server.get_mount_points()
    for path, pipeline in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(f"( {pipeline} )")
        if "avpf" in sys.argv:
            factory.set_profiles(GstRtsp.RTSPProfile.AVPF)
        if "tcp" in sys.argv:
            factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
        if "digest" in sys.argv or "basic" in sys.argv:
            permissions = GstRtspServer.RTSPPermissions.new()
            permissions.add_permission_for_role("user", "media.factory.access", True)
            permissions.add_permission_for_role("user", "media.factory.construct", True)
            factory.set_permissions(permissions)
        mounts.add_factory(path, factory)
    if "digest" in sys.argv or "basic" in sys.argv:
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", "user")
        if "digest" in sys.argv:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest("user", "secret", token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic("user", "secret"), token)
        server.set_auth(auth)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


main()
