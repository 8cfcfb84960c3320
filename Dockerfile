# The worker and the command line: `docker build -t driftline .`, `docker run driftline --help`.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY detectors detectors
COPY stream stream
RUN python -m venv /opt/driftline && /opt/driftline/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --create-home driftline
COPY --from=build /opt/driftline /opt/driftline
ENV PATH=/opt/driftline/bin:$PATH PYTHONUNBUFFERED=1 DRIFTLINE_WEB__HOST=0.0.0.0
USER driftline
WORKDIR /home/driftline
EXPOSE 6066
HEALTHCHECK --start-period=60s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:6066/healthz')"]
ENTRYPOINT ["driftline"]
CMD ["worker"]
