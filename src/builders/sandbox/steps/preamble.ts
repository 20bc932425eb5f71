/** What every step uses. */
export const PREAMBLE = String.raw`
import collections, ctypes, errno, gzip, json, lzma, os, posixpath, queue, re, shutil, signal, socket, stat
import subprocess, sys, tarfile, threading, time, traceback, urllib.error, urllib.request, xml.etree.ElementTree, zipfile, zlib

RECIPE = '/job/recipe'
ROOT = '/job/root'
OUT = '/out'
IMAGE_FOLDER = '/job/mnt'
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC = 0x1000, 0x4000
LIBC = ctypes.CDLL(None, use_errno=True)
OUT_OF_DISK = (errno.ENOSPC, errno.EDQUOT)


class Problem(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def tell(**event):
    REPORT.write(json.dumps(event) + '\n')
    REPORT.flush()


def log(text):
    print(text, flush=True)


def shown(name):
    """A name from the archive, fit for a message."""
    text = name.encode('utf-8', 'replace').decode('utf-8')
    text = ''.join(c if c.isprintable() else '?' for c in text)
    return text if len(text) <= 200 else text[:200] + '...'
`;
