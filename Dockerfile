# One image for every part of Tutelage; docker-compose.yml has the command of each.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --system --create-home tutelage \
    && install -d -o tutelage -g tutelage /data

USER tutelage
VOLUME /data
CMD ["tutelage", "--help"]
