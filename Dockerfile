# Two stages: the first makes a wheel and an environment from pinned, hashed wheels; the second
# runs it as an ordinary user. Settings come from TOLLBRIDGE_* variables or a mounted file.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/tollbridge \
 && /opt/tollbridge/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/build.txt -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/tollbridge/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tollbridge tollbridge
COPY --from=build /opt/tollbridge /opt/tollbridge
ENV PATH=/opt/tollbridge/bin:$PATH PYTHONUNBUFFERED=1
USER tollbridge
WORKDIR /var/lib/tollbridge
VOLUME /var/lib/tollbridge
EXPOSE 8080
ENTRYPOINT ["tollbridge"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
