# SPDX-License-Identifier: Apache-2.0
# What each class holds over time. Variables: data, out, limit (MiB), leaves (s).
set terminal pngcairo size 1000,520 font "sans,11"
set output out
set title "Three classes at one limit: RAM held by each (weights 1, 2 and 4)"
set xlabel "seconds"
set ylabel "MiB"
set yrange [0:limit * 1.15]
set key outside right top
set style fill solid 0.75 noborder
set arrow from leaves, 0 to leaves, limit * 1.05 nohead dashtype 2 linecolor rgb "black"
set label "class four ends" at leaves, limit * 1.08 center
plot data using 1:($2+$3+$4) with filledcurves x1 title "four" linecolor rgb "#1b6ca8", \
     data using 1:($2+$3) with filledcurves x1 title "two" linecolor rgb "#f2a541", \
     data using 1:2 with filledcurves x1 title "one" linecolor rgb "#7a9e3a", \
     limit with lines title "max\\_physical\\_bytes" linecolor rgb "black" linewidth 1.5
