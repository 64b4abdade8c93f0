//! What is built twice.

/// A context, and what is made of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Makes the context, which has a static `busybox` already.
    pub(crate) context: &'static str,
    /// Options of both builders.
    pub(crate) arguments: &'static str,
    pub(crate) file: &'static str,
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "settings",
        context: "echo x >f",
        arguments: "--build-arg V=given --label from=outside",
        file: r#"
FROM scratch
ARG V=default W
ENV A=1 B="two words" C=$V
ENV legacy a value with blanks
LABEL one=1 "two words"="and more"
MAINTAINER somebody
COPY f /
EXPOSE 80 443/udp 9000-9002
VOLUME ["/data", "/more"]
VOLUME /words /here
USER 7:8
WORKDIR /w
WORKDIR below
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD ok || exit 1
ONBUILD RUN echo child
SHELL ["/bin/busybox", "sh", "-c"]
ENTRYPOINT ["/entry", "point"]
CMD echo "$A"
"#,
    },
    Case {
        name: "commands and entry points replace one another",
        context: "echo x >f",
        arguments: "",
        file: r#"
FROM scratch AS base
COPY f /
CMD ["from", "the base"]
FROM base
ENTRYPOINT exec something
HEALTHCHECK NONE
"#,
    },
    Case {
        name: "copies",
        context: "mkdir -p d/sub d/empty e; echo one >d/one; echo two >d/sub/two; ln -s sub/two d/link; \
                  ln d/one d/hard; chmod 4750 d/one; mkdir -m 1777 d/sticky; echo odd >'d/odd name'; \
                  echo z >e/z; ln -s d to-d; chown -R 11:12 d",
        arguments: "",
        file: r#"
FROM scratch
COPY d /all
COPY d/ /slash/
COPY d/one /renamed
COPY d/one /into/
COPY d/one e/z /several/
COPY d/*e /pattern/
COPY to-d /through-link
COPY d/link /the-link
COPY --chown=5:6 d /owned
COPY ["d/odd name", "/quoted/odd name"]
WORKDIR /work
COPY e relative
COPY e .
COPY . /whole/
"#,
    },
    Case {
        name: "copies over what is there",
        context: "mkdir -p a/x b/x; echo a >a/x/f; echo b >b/x/f; echo new >b/x/g; chmod 700 b/x; \
                  mkdir links; ln -s /target links/dir; echo in >a/in",
        arguments: "",
        file: r#"
FROM scratch
COPY a /t/
COPY b /t/
COPY links /
COPY a/in /dir/in
COPY a/in /t/x/f
"#,
    },
    Case {
        name: "what is ignored",
        context: "mkdir -p a/b c; for f in a/1 a/2.log a/b/3.log a/b/keep.log c/4 top.log .hidden; do echo $f >$f; done; \
                  printf '%s\\n' '# comment' '*.log' '**/*.log' '!a/b/keep.log' 'c' '.hidden' busybox >.dockerignore",
        arguments: "",
        file: "FROM scratch\nCOPY . /\n",
    },
    Case {
        name: "archives that are unpacked",
        context: "mkdir -p t/d; echo f >t/d/f; ln -s f t/d/l; chmod 640 t/d/f; chown 3:4 t/d/f; \
                  tar -C t -cf plain.tar d; tar -C t -czf packed.tgz d; tar -C t -cJf packed.txz d; echo not >not.tar",
        arguments: "",
        file: r#"
FROM scratch
ADD plain.tar /plain/
ADD packed.tgz /gzip
ADD packed.txz /xz/
ADD not.tar /
ADD t /dir
COPY plain.tar /kept/
"#,
    },
    Case {
        name: "commands",
        context: "echo data >data; mkdir -p root/dev root/etc root/proc root/sys",
        arguments: "--build-arg V=given",
        file: r#"
FROM scratch
# Older BuildKits leave the places of mounts behind.
COPY root /
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ARG V W=1
ENV E="two words"
WORKDIR /w
RUN echo "$V $W $E" >f && pwd >>f && id -u >>f
RUN chmod 4711 f && chown 5:6 f && mkdir d && mkfifo d/p && ln f d/hard && ln -s ../f d/soft
COPY data /w/d/
RUN rm d/hard && echo more >>d/data && rm /bin/vi
USER 7:8
RUN id -u >/tmp-u 2>/dev/null || id -u >/dev/null
USER 0:0
SHELL ["/bin/sh", "-e", "-c"]
RUN false || echo "$0" >g
RUN rm -r d && mkdir d && echo new >d/new
"#,
    },
    Case {
        name: "mounts leave nothing",
        context: "echo data >data; mkdir root; cd root; mkdir cache ctx dev etc proc run scratch sys",
        arguments: "",
        file: r#"
FROM scratch AS base
COPY root /
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base AS other
RUN echo from-other >/made
FROM base
RUN --mount=type=bind,target=/ctx cat /ctx/data >/copied
RUN --mount=type=bind,from=other,source=/made,target=/one cat /one >>/copied
RUN --mount=type=tmpfs,target=/scratch echo x >/scratch/x
RUN --mount=type=cache,target=/cache echo x >/cache/x
RUN --mount=type=secret,id=none,target=/run/none test ! -e /run/none
"#,
    },
    Case {
        name: "stages",
        context: "echo a >a; echo b >b",
        arguments: "--target last",
        file: r#"
ARG BASE=scratch
FROM ${BASE} AS one
COPY a /a
LABEL stage=one
FROM scratch AS Two
COPY --from=one /a /from-one
COPY --from=0 /a /from-zero
ENV SET=here
FROM two AS last
COPY b /b
FROM one
COPY b /never
"#,
    },
    Case {
        name: "words of variables",
        context: "echo x >f.txt",
        arguments: "",
        file: r#"
FROM scratch
ENV a=one empty=
ENV b=${a:-other} c=${unset:-default} d=${a:+set} e=${empty:+set} f="$a and \$a" g='$a'
ENV h=${empty:-filled} i=a\ b j=$a$a k=${a}x
LABEL l="${b}-${c}" m=$nothing
COPY ${c:+f}.txt /$a/
WORKDIR /$a/$b
"#,
    },
    Case {
        name: "lines",
        context: "echo x >f",
        arguments: "",
        file: "# escape=`\n\nFROM scratch\n# a comment\ncopy f `\n  # within\n\n  /g\nENV A=1 `\n B=2 `\r\n C=3\nCMD [ \"a\" , \"b\" ]\n",
    },
];
