// What pages here can do: publish the (fake) camera, play, and tell how it goes.
window.started = performance.now();
window.marks = {};
// When what happened for the first time, in ms since the call.
function mark(what) {
    marks[what] ??= Math.round(performance.now() - started);
}
async function negotiate(url, pc) {
    await pc.setLocalDescription(await pc.createOffer());
    mark('offered');
    const response = await fetch(url, {
        method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: pc.localDescription.sdp,
    });
    const body = await response.text();
    mark('answered');
    if (response.status !== 201) throw new Error(response.status + ' ' + body);
    window.answer = body;
    window.session = new URL(response.headers.get('Location'), location).href;
    window.notice = response.headers.get('Arcly-Notice');
    // Where UDP is blocked, or a test stands between, the only way to the server is by TCP, or through the test.
    const sdp = window.byTcp ? body.replace(/^a=candidate:.* udp .*\r\n/gm, '') : !window.proxy ? body : body
        .replace(/^a=candidate:.* tcp .*\r\n/gm, '')
        .replace(/^(a=candidate:.* udp \d+) \S+ \d+/gm, `$1 ${proxy.host} ${proxy.port}`);
    await pc.setRemoteDescription({type: 'answer', sdp});
}
async function publish(url, codec, profile) {
    const media = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480, frameRate: 30}, audio: true});
    const pc = window.pc = new RTCPeerConnection();
    window.started = performance.now();
    pc.addTransceiver(media.getAudioTracks()[0], {direction: 'sendonly'});
    const video = pc.addTransceiver(media.getVideoTracks()[0], {direction: 'sendonly', sendEncodings: window.layers ?? [{}]});
    const codecs = RTCRtpSender.getCapabilities('video').codecs.filter((c) =>
        c.mimeType === 'video/' + codec && (!profile || c.sdpFmtpLine.includes(profile)) || c.mimeType === 'video/rtx');
    video.setCodecPreferences(codecs);
    await negotiate(url, pc);
    return true;
}
async function play(url) {
    const pc = window.pc = new RTCPeerConnection();
    window.started = performance.now();
    pc.oniceconnectionstatechange = () => mark('ice ' + pc.iceConnectionState);
    pc.onconnectionstatechange = () => mark(pc.connectionState);
    pc.addTransceiver('audio', {direction: 'recvonly'});
    pc.addTransceiver('video', {direction: 'recvonly'});
    const video = document.createElement('video');
    video.muted = true; video.autoplay = true;
    video.srcObject = new MediaStream();
    pc.ontrack = (event) => video.srcObject.addTrack(event.track);
    document.body.append(video);
    video.requestVideoFrameCallback(() => { mark('picture'); window.first = performance.now() - started; });
    await negotiate(url, pc);
    return true;
}
async function way() {
    const reports = [...(await pc.getStats()).values()];
    const transport = reports.find((report) => report.type === 'transport');
    const pair = reports.find((report) => report.id === transport.selectedCandidatePairId);
    const remote = reports.find((report) => report.id === pair.remoteCandidateId);
    return [remote.protocol, transport.srtpCipher, transport.dtlsState].join(' ');
}
async function stats(kind) {
    for (const report of (await pc.getStats()).values())
        if (report.type === kind && report.kind === 'video') return report;
    return {};
}
true
