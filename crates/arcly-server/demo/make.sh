#!/bin/sh
# Makes the clip that `arcly --demo` publishes: demo.h264 (Annex B) and demo.aac (ADTS), 8 s that loop without a seam.
#
# Needs ffmpeg with libx264 and the DejaVu fonts (Debian: ffmpeg fonts-dejavu-core). Takes about a minute. The result is committed, so
# this is run only to change the picture.
#
# 8 s are 200 pictures at 25 a second and 375 AAC frames of 1024 samples at 48 kHz: both end at the same moment.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bold=/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
mono=/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf

# The dial: an outer arc that goes round in the 8 s of the clip, an inner one that goes round each second. R is the distance from the
# dial's centre, A the part of the way round from twelve o'clock, N the picture's number.
#  ld/st: 0 = distance, 1 = angle 0…1, 2 = outer ring's brightness, 3 = inner ring's, 4 = the dot that flashes with the beep.
polar='st(0,hypot(X-190,Y-180));st(1,mod(atan2(X-190,180-Y)/(2*PI)+1,1))'
tail='mod(N/200-ld(1)+1,1)'
outer="st(2,clip(min(ld(0)-104,128-ld(0)),0,1)*(0.10+0.90*pow(1-$tail,2)))"
inner='st(3,clip(min(ld(0)-84,94-ld(0)),0,1)*(0.10+0.90*lte(ld(1),mod(N,25)/25)))'
flash='st(4,clip(5-hypot(X-190,Y-64),0,1)*lt(mod(N,25),3))'
background='16+10*Y/360'
luma="$polar;$outer;$inner;$flash;$background+150*ld(2)+110*ld(3)+200*ld(4)"
cb="$polar;$outer;$inner;140+46*ld(2)*(1-ld(1))-40*ld(2)*ld(1)+24*ld(3)"
cr="$polar;$outer;$inner;126-40*ld(2)*(1-ld(1))+60*ld(2)*ld(1)-34*ld(3)"

text="drawtext=fontfile=$bold:text=arcly:fontsize=64:fontcolor=white:x=372:y=92"
text="$text,drawtext=fontfile=$mono:text=live/demo:fontsize=20:fontcolor=0x9fb4d8:x=376:y=170"
text="$text,drawtext=fontfile=$mono:text=640x360 25 fps H.264:fontsize=16:fontcolor=0x7186ad:x=376:y=214"
text="$text,drawtext=fontfile=$mono:text=48 kHz stereo AAC:fontsize=16:fontcolor=0x7186ad:x=376:y=236"
text="$text,drawtext=fontfile=$bold:text='%{eif\\:floor(n/25)+1\\:d}':fontsize=84:fontcolor=white:x=190-text_w/2:y=180-text_h/2"
text="$text,drawtext=fontfile=$mono:text='picture %{eif\\:n+1\\:d\\:3} of 200':fontsize=16:fontcolor=0x9fb4d8:x=376:y=268"

# Chroma planes are half as large: geq's X and Y count in each plane's own pixels, hence yuv444p until the end.
ffmpeg -v error -y -f lavfi -i "color=black:size=640x360:rate=25:duration=8,format=yuv444p" \
    -vf "geq=lum='$luma':cb='$cb':cr='$cr',$text,format=yuv420p" \
    -c:v libx264 -profile:v baseline -preset veryslow -crf 21 -g 25 -keyint_min 25 -sc_threshold 0 -threads 1 \
    -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
    -flags +bitexact -bsf:v filter_units=remove_types=6 -f h264 "$work/demo.h264"

# A beep at each second, an octave higher where the clip begins. Three rounds are encoded and the middle one is cut out, so that each
# frame overlaps with the one that follows when the clip loops. Frame n decodes to the samples from 1024 (n - 1) on: the encoder's delay.
beep="0.35*sin(2*PI*t*(880+880*lt(mod(t\,8)\,1)))*lt(mod(t\,1)\,0.08)*sin(PI*clip(mod(t\,1)/0.08\,0\,1))"
ffmpeg -v error -y -f lavfi -i "aevalsrc=$beep|$beep:sample_rate=48000:duration=24" \
    -c:a aac -b:a 64k -flags +bitexact -f adts "$work/rounds.aac"
ffmpeg -v error -y -i "$work/rounds.aac" -ss 8.01 -frames:a 375 -c copy "$work/demo.aac"

mv "$work/demo.h264" "$work/demo.aac" .
ls -l demo.h264 demo.aac
